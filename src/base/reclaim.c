/* SPDX-License-Identifier: MIT */
#include "base/reclaim.h"

#include <errno.h>
#include <stdatomic.h>

struct vmsi_lock vmsi_reclaim_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_RECLAIM);

static vmsi_reclaimer *_Atomic registered;
static _Atomic unsigned times_given_back;

/* The model: see held_low of lock.c. */
static _Thread_local unsigned forbidden
	__attribute__((tls_model("initial-exec")));

void vmsi_reclaim_register(vmsi_reclaimer *reclaimer)
{
	atomic_store_explicit(&registered, reclaimer, memory_order_release);
}

unsigned vmsi_reclaim_moment(void)
{
	return atomic_load_explicit(&times_given_back, memory_order_relaxed);
}

bool vmsi_reclaim(const struct vms_budget *budget, unsigned since)
{
	vmsi_reclaimer *reclaimer =
		atomic_load_explicit(&registered, memory_order_acquire);
	const int saved = errno;
	bool changed;

	if (!reclaimer || forbidden)
		return false;
	vmsi_reclaim_forbid();
	vmsi_lock_acquire(&vmsi_reclaim_lock);
	if (reclaimer(budget) > 0)
		atomic_fetch_add(&times_given_back, 1);
	changed = vmsi_reclaim_moment() != since;
	vmsi_lock_release(&vmsi_reclaim_lock);
	vmsi_reclaim_allow();
	errno = saved;
	return changed;
}

void vmsi_reclaim_forbid(void)
{
	forbidden++;
}

void vmsi_reclaim_allow(void)
{
	forbidden--;
}
