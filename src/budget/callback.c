/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>

#include "base/panic.h"
#include "base/reclaim.h"
#include "budget/callback.h"
#include "budget/round.h"
#include "host/host.h"

/*
 * Before a request fails, heaps are asked for what they retain, and then the
 * callbacks. A budget refuses under the lock of a space, so the thread notes
 * the refusal, and asks once it has released that lock.
 */

/* As in src/space/refusal.c: this model calls no malloc. */
static _Thread_local struct vmsi_budget_refusal refused
	__attribute__((tls_model("initial-exec")));
/* The budget whose callback this thread is in. */
static _Thread_local struct vms_budget *running
	__attribute__((tls_model("initial-exec")));

void vmsi_budget_begin(void)
{
	refused.budget = NULL;
	refused.since = vmsi_reclaim_moment();
}

struct vmsi_budget_refusal vmsi_budget_latest(void)
{
	return refused;
}

void vmsi_budget_recall(const struct vmsi_budget_refusal *refusal)
{
	refused = *refusal;
}

void vmsi_budget_note_refusal(struct vms_budget *budget,
			      struct vms_budget *refuser, size_t bytes)
{
	refused.budget = budget;
	refused.refuser = refuser;
	refused.bytes = bytes;
}

const struct vms_budget *vmsi_callback_budget(void)
{
	return running;
}

/* --- one callback ----------------------------------------------------------------- */

/* How many have ended, to those who wait for one. */
static _Atomic uint32_t endings;
static unsigned waiting;       /* under the lock */

/* What a sleep is at most; nobody depends on it. */
#define SLEEP_NANOSECONDS UINT64_C(100000000)

static struct vms_budget *begin(struct vmsi_round *round, vms_budget_callback *callback,
				void **context)
{
	struct vms_budget *budget;

	vmsi_lock_acquire(&vmsi_budget_lock);
	budget = vmsi_round_next(round);
	if (budget) {
		budget->running++;
		*callback = budget->callback;
		*context = budget->context;
	}
	vmsi_lock_release(&vmsi_budget_lock);
	return budget;
}

static void end(struct vms_budget *budget)
{
	bool wakes;

	vmsi_lock_acquire(&vmsi_budget_lock);
	budget->running--;
	(void)atomic_fetch_add(&endings, 1);
	wakes = waiting != 0;
	vmsi_lock_release(&vmsi_budget_lock);
	if (wakes)
		(void)vmsi_host.futex_wake(&endings, INT_MAX);
}

/* Others can close a budget that is not above the one of the request: not now. */
enum vmsi_callback_answer vmsi_callback_ask(struct vmsi_round *round, size_t bytes,
					    unsigned attempt)
{
	const int earlier = errno;
	vms_budget_callback callback;
	void *context;
	struct vms_budget *budget = begin(round, &callback, &context);
	bool freed;

	if (!budget)
		return VMSI_ALL_ASKED;
	vmsi_debug_check(!vmsi_rank_is_held(),
			 "R9: a callback is called with a lock held");
	running = budget;
	freed = callback(budget, bytes, attempt, context);
	running = NULL;
	end(budget);
	errno = earlier;
	return freed ? VMSI_SAYS_AGAIN : VMSI_GAVE_NOTHING;
}

void vmsi_callback_await(struct vms_budget *budget)
{
	waiting++;
	while (budget->running) {
		const uint32_t seen = atomic_load(&endings);

		vmsi_lock_release(&vmsi_budget_lock);
		(void)vmsi_host.futex_wait(&endings, seen, SLEEP_NANOSECONDS);
		vmsi_lock_acquire(&vmsi_budget_lock);
	}
	waiting--;
}

/* --- before a refusal ------------------------------------------------------------- */

static bool ask_each(const struct vmsi_budget_refusal *refusal, unsigned attempt)
{
	struct vmsi_round round = { .top = refusal->refuser };
	enum vmsi_callback_answer answer;

	do
		answer = vmsi_callback_ask(&round, refusal->bytes, attempt);
	while (answer == VMSI_GAVE_NOTHING);
	return answer == VMSI_SAYS_AGAIN;
}

static void count_refusal(struct vms_budget *refuser)
{
	vmsi_budget_enter(refuser);
	if (refuser->shared)
		atomic_fetch_add(&refuser->shared->head.refusals, 1);
	else
		refuser->ledger.refusals++;
	vmsi_budget_leave();
}

/*
 * Heaps are asked before callbacks, which give up memory in use. They are asked
 * once a request, which otherwise could go on while other threads free blocks.
 */
static bool ask_heaps(const struct vmsi_budget_refusal *refusal,
		      struct vmsi_attempts *attempts)
{
	if (attempts->heaps_of_refuser)
		return false;
	attempts->heaps_of_refuser = true;
	return vmsi_reclaim(refusal->refuser, refusal->since);
}

static bool ask_callbacks(const struct vmsi_budget_refusal *refusal,
			  struct vmsi_attempts *attempts)
{
	if (running || attempts->callbacks >= VMS_BUDGET_ATTEMPTS)
		return false;
	if (!ask_each(refusal, attempts->callbacks++))
		return false;
	/* The callback may have freed blocks, whose memory a heap retains. */
	attempts->heaps_of_refuser = false;
	return true;
}

enum vmsi_budget_answer vmsi_budget_ask(struct vmsi_attempts *attempts)
{
	const struct vmsi_budget_refusal refusal = refused;

	if (!refusal.budget)
		return VMSI_BUDGET_DID_NOT_REFUSE;
	vmsi_budget_begin();
	if (ask_heaps(&refusal, attempts) || ask_callbacks(&refusal, attempts))
		return VMSI_BUDGET_TRY_AGAIN;
	count_refusal(refusal.refuser);
	return VMSI_BUDGET_REFUSES;
}
