/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_CALLBACK_H
#define VMSI_BUDGET_CALLBACK_H

#include "budget/budget.h"

/*
 * Note, for vmsi_budget_ask, that refuser has refused a charge to budget, which
 * is itself or below it.
 */
void vmsi_budget_note_refusal(struct vms_budget *budget,
			      struct vms_budget *refuser, size_t bytes);

#endif
