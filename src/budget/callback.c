/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "budget/budget.h"

/*
 * What is asked before a refusal. A charge is refused somewhere under the lock
 * of a space; the callback is called where that is released again, by the
 * thread that made the request. So the thread notes the refusal meanwhile.
 */

/*
 * In a library that is preloaded, thread-local storage of the general model
 * can call malloc at its first use; this model cannot.
 */
static _Thread_local struct {
	struct vms_budget *budget;  /* to be charged; NULL: not refused */
	struct vms_budget *refuser; /* it, or one above it */
	size_t bytes;
	bool in_callback;
} refused __attribute__((tls_model("initial-exec")));

void vmsi_budget_begin(void)
{
	refused.budget = NULL;
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

/* Those from the budget that was to be charged up to the one that refused. */
static bool ask_each(struct vms_budget *budget, struct vms_budget *refuser,
		     size_t bytes, unsigned attempt)
{
	const int earlier = errno;
	bool made_room = false;

	refused.in_callback = true;
	for (struct vms_budget *at = budget; at; at = at->parent) {
		made_room = ask_one(at, bytes, attempt);
		if (made_room || at == refuser)
			break;
	}
	refused.in_callback = false;
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

enum vmsi_budget_answer vmsi_budget_ask(unsigned *attempts)
{
	struct vms_budget *budget = refused.budget;
	struct vms_budget *refuser = refused.refuser;

	if (!budget)
		return VMSI_BUDGET_DID_NOT_REFUSE;
	vmsi_budget_begin();
	if (!refused.in_callback && *attempts < VMS_BUDGET_ATTEMPTS &&
	    ask_each(budget, refuser, refused.bytes, (*attempts)++))
		return VMSI_BUDGET_MADE_ROOM;
	count_refusal(refuser);
	return VMSI_BUDGET_REFUSES;
}
