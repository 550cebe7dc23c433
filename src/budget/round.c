/* SPDX-License-Identifier: MIT */
#include "budget/round.h"

#include "budget/budget.h"

static struct vms_budget *budgets;
static uint64_t opened;

void vmsi_budgets_add(struct vms_budget *budget)
{
	budget->number = ++opened;
	budget->next_of_all = budgets;
	budgets = budget;
}

void vmsi_budgets_remove(struct vms_budget *budget)
{
	struct vms_budget **link = &budgets;

	while (*link != budget)
		link = &(*link)->next_of_all;
	*link = budget->next_of_all;
}

struct vms_budget *vmsi_budgets_find(uint64_t number)
{
	struct vms_budget *budget = budgets;

	while (budget && budget->number != number)
		budget = budget->next_of_all;
	return budget;
}

void vmsi_budgets_forked(const struct vms_budget *running)
{
	for (struct vms_budget *at = budgets; at; at = at->next_of_all) {
		at->running = at == running;
		at->is_closing = false;
	}
}

bool vmsi_budget_is_under(const struct vms_budget *budget,
			  const struct vms_budget *above)
{
	/* Without the lock: parents never change. */
	while (budget && budget != above)
		budget = budget->parent;
	return budget != NULL;
}

static void find_own(void)
{
	for (struct vms_budget *at = budgets; at; at = at->next_of_all)
		at->own = at->ledger.charged;
	for (struct vms_budget *at = budgets; at; at = at->next_of_all)
		if (at->parent)
			at->parent->own -= at->parent->own < at->ledger.charged ?
				at->parent->own : at->ledger.charged;
}

static bool was_asked(const struct vmsi_round *round, const struct vms_budget *budget)
{
	for (size_t i = 0; i < round->count; i++)
		if (round->asked[i] == budget->number)
			return true;
	return budget->number <= round->latest;
}

/* Who holds as much is asked before what is above it, which was opened earlier. */
static bool comes_before(const struct vmsi_round *round, const struct vms_budget *budget,
			 const struct vms_budget *other)
{
	if (!other)
		return true;
	if (round->count == VMSI_ROUND_BY_SIZE)
		return budget->number < other->number;
	if (budget->own != other->own)
		return budget->own > other->own;
	return budget->number > other->number;
}

static bool can_be_asked(const struct vmsi_round *round, const struct vms_budget *budget)
{
	return budget->callback && !budget->is_closing && budget->number <= round->newest &&
		vmsi_budget_is_under(budget, round->top) && !was_asked(round, budget);
}

/*
 * A round would have no end where each callback opens a budget that has it, too: so it is
 * of those that were there when it began.
 */
struct vms_budget *vmsi_round_next(struct vmsi_round *round)
{
	struct vms_budget *next = NULL;

	if (!round->newest)
		round->newest = opened;
	find_own();
	for (struct vms_budget *at = budgets; at; at = at->next_of_all)
		if (can_be_asked(round, at) && comes_before(round, at, next))
			next = at;
	if (next && round->count < VMSI_ROUND_BY_SIZE)
		round->asked[round->count++] = next->number;
	else if (next)
		round->latest = next->number;
	return next;
}
