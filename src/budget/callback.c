/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/reclaim.h"
#include "budget/callback.h"
#include "budget/record.h"

/*
 * Before a request fails, heaps are asked for what they retain, and then the
 * callbacks. A budget refuses under the lock of a space, so the thread notes
 * the refusal, and asks once it has released that lock.
 */

/* As in src/space/refusal.c: this model calls no malloc. */
static _Thread_local struct vmsi_budget_refusal refused
	__attribute__((tls_model("initial-exec")));
static _Thread_local bool in_callback
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

/* Returns whether the callback of one budget has freed something. */
static bool ask_one(struct vms_budget *budget, size_t bytes, unsigned attempt)
{
	vms_budget_callback callback;
	void *context;

	vmsi_budget_enter(budget);
	callback = budget->callback;
	context = budget->context;
	vmsi_budget_leave();
	return callback && callback(budget, bytes, attempt, context);
}

/*
 * Ask the callbacks from the budget that was to be charged up to the refuser,
 * until one has freed something.
 */
static bool ask_each(struct vms_budget *budget, struct vms_budget *refuser,
		     size_t bytes, unsigned attempt)
{
	const int earlier = errno;
	bool freed = false;

	in_callback = true;
	for (struct vms_budget *at = budget; at; at = at->parent) {
		freed = ask_one(at, bytes, attempt);
		if (freed || at == refuser)
			break;
	}
	in_callback = false;
	errno = earlier;
	return freed;
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
	if (in_callback || attempts->callbacks >= VMS_BUDGET_ATTEMPTS)
		return false;
	if (!ask_each(refusal->budget, refusal->refuser, refusal->bytes,
		      attempts->callbacks++))
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
