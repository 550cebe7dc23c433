/* SPDX-License-Identifier: MIT */
#include "budget/soft.h"

#include <errno.h>

#include "budget/callback.h"
#include "budget/round.h"
#include "budget/slots.h"

/* Soft limits: callbacks are called early, by the request that passes one. */

/* The budget that was passed by this thread's request, by its number; 0: none. */
static _Thread_local uint64_t passed __attribute__((tls_model("initial-exec")));

_Atomic unsigned vmsi_soft_limits;

static size_t charged(struct vms_budget *budget)
{
	return budget->shared ? vmsi_slots_charged(budget) : budget->ledger.charged;
}

/* By how many bytes the limit is passed; 0: it is not. */
static size_t excess(struct vms_budget *budget)
{
	const size_t now = budget->soft_limit ? charged(budget) : 0;

	return now > budget->soft_limit ? now - budget->soft_limit : 0;
}

/* Of several levels the highest has all callbacks of the others below it. */
void vmsi_soft_note(struct vms_budget *budget)
{
	for (struct vms_budget *at = budget; at; at = at->parent) {
		const bool was_passed = at->is_passed;

		if (!at->soft_limit)
			continue;
		at->is_passed = excess(at) != 0;
		if (!was_passed && at->is_passed)
			passed = at->number;
	}
}

/* Returns by how much it is passed still; 0: nobody need be asked any more. */
static size_t look(struct vmsi_round *round, uint64_t number)
{
	size_t more = 0;

	vmsi_lock_acquire(&vmsi_budget_lock);
	round->top = vmsi_budgets_find(number);
	if (round->top)
		more = excess(round->top);
	vmsi_lock_release(&vmsi_budget_lock);
	return more;
}

void vmsi_budget_tell_early_now(void)
{
	struct vmsi_round round = { .count = 0 };
	const uint64_t number = passed;
	size_t more;

	if (!number || vmsi_callback_budget())
		return;
	passed = 0;
	do
		more = look(&round, number);
	while (more && vmsi_callback_ask(&round, more, VMS_BUDGET_EARLY) != VMSI_ALL_ASKED);
}

static void set(struct vms_budget *budget, size_t limit)
{
	if (!budget->soft_limit != !limit)
		(void)atomic_fetch_add(&vmsi_soft_limits, limit ? 1u : -1u);
	budget->soft_limit = limit;
	budget->is_passed = excess(budget) != 0;
}

void vmsi_soft_end(struct vms_budget *budget)
{
	set(budget, 0);
}

int vms_budget_set_soft_limit(vms_budget *budget, size_t limit)
{
	if (!budget)
		return vmsi_budget_status(-EINVAL);
	vmsi_budget_enter(budget);
	set(budget, limit);
	vmsi_budget_leave();
	return 0;
}
