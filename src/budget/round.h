/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_ROUND_H
#define VMSI_BUDGET_ROUND_H

#include "budget/record.h"

/*
 * All budgets of the process, and in which order their callbacks are asked: those of a
 * budget and of all below it, each once in a round, first who holds most. What is charged
 * to a budget below is held there, so that a parent that only limits others comes last.
 * All under the lock of budgets.
 */

/* So many are asked by what they hold, and the others as they were opened. */
#define VMSI_ROUND_BY_SIZE 64u

struct vmsi_round {
	struct vms_budget *top;
	uint64_t asked[VMSI_ROUND_BY_SIZE]; /* their numbers */
	size_t count;
	uint64_t latest;                    /* of those that are not in asked */
	uint64_t newest;                    /* what is opened later is not asked */
};

/* Number it, and have it among all. */
void vmsi_budgets_add(struct vms_budget *budget);
void vmsi_budgets_remove(struct vms_budget *budget);

/* NULL: it is closed. */
struct vms_budget *vmsi_budgets_find(uint64_t number);

/* Whom to ask next; NULL: all were. A round is zero at first, but for top. */
struct vms_budget *vmsi_round_next(struct vmsi_round *round);

/* In the child of a fork: the callbacks that other threads are in end in the parent. */
void vmsi_budgets_forked(const struct vms_budget *running);

#endif
