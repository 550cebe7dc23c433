/* SPDX-License-Identifier: MIT */
#include "pool/plain/shield.h"

#include "host/host.h"
#include "pool/pool.h"

/* The initial-exec model never calls malloc, which the thread may be in. */
static _Thread_local struct vmsi_shield *shields
	__attribute__((tls_model("initial-exec")));

static void fill_set(sigset_t *set)
{
	static const int of_the_processor[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
						SIGABRT };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(of_the_processor) / sizeof(*of_the_processor); i++)
		sigdelset(set, of_the_processor[i]);
}

static void block(struct vmsi_shield *shield)
{
	sigset_t set;

	fill_set(&set);
	shield->is_raised = vmsi_host.signal_mask(SIG_BLOCK, &set, &shield->earlier) == 0;
}

static void unblock(const struct vmsi_shield *shield)
{
	if (shield->is_raised)
		(void)vmsi_host.signal_mask(SIG_SETMASK, &shield->earlier, NULL);
}

void vmsi_shield_put_up(struct vmsi_shield *shield)
{
	shield->outer = shields;
	shield->is_raised = false;
	shield->is_fault = shields && shields->is_fault;
	if (!shields)
		block(shield);
	shields = shield;
}

void vmsi_shield_raise_for_fault(struct vmsi_shield *shield)
{
	shield->outer = shields;
	shield->is_up = true;
	shield->is_raised = false;
	shield->is_fault = true;
	shields = shield;
}

void vmsi_shield_take_down(struct vmsi_shield *shield)
{
	shields = shield->outer;
	unblock(shield);
}

bool vmsi_shield_is_fault(void)
{
	return shields && shields->is_fault;
}

/* The one that has blocked the signals; NULL: none. */
static struct vmsi_shield *outermost_of(struct vmsi_shield *shield)
{
	while (shield && shield->outer)
		shield = shield->outer;
	return shield;
}

struct vmsi_shield *vmsi_shield_pause(void)
{
	struct vmsi_shield *shield = shields;
	const struct vmsi_shield *outermost = outermost_of(shield);

	shields = NULL;
	if (outermost)
		unblock(outermost);
	return shield;
}

void vmsi_shield_resume(struct vmsi_shield *shield)
{
	struct vmsi_shield *outermost = outermost_of(shield);

	if (outermost)
		block(outermost);
	shields = shield;
}

void vmsi_shield_let_faults_in(const struct vms_pool *pool)
{
	sigset_t set;

	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigaddset(&set, SIGSEGV);
	(void)vmsi_host.signal_mask(SIG_UNBLOCK, &set, NULL);
}
