/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/reclaim.h"
#include "budget/callback.h"
#include "budget/record.h"

/*
 * Before a request is refused, heaps are asked for what they retain of freed
 * memory, and then the callbacks. A charge is refused under the lock of a
 * space; they are asked after that lock is released, by the thread that made
 * the request. Until then the thread notes the refusal.
 */

/*
 * In a library that is preloaded, thread-local storage of the general model
 * can call malloc at its first use; this model cannot.
 */
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

/* Whether the callback of one budget has made room. */
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
 * Ask the budget that was to be charged, and those above it up to the one that
 * refused.
 */
static bool ask_each(struct vms_budget *budget, struct vms_budget *refuser,
		     size_t bytes, unsigned attempt)
{
	const int earlier = errno;
	bool made_room = false;

	in_callback = true;
	for (struct vms_budget *at = budget; at; at = at->parent) {
		made_room = ask_one(at, bytes, attempt);
		if (made_room || at == refuser)
			break;
	}
	in_callback = false;
	errno = earlier;
	return made_room;
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
 * Heaps give back what they retain before a callback gives up memory in use;
 * but once a request, since other threads may go on freeing what does not
 * suffice.
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
	/*
	 * The callback may have freed blocks of a heap, which retains their
	 * memory.
	 */
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
