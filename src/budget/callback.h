/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_CALLBACK_H
#define VMSI_BUDGET_CALLBACK_H

#include "budget/budget.h"

/* Who refused, for callback.c to ask later. */

/* Note that refuser, which is budget or above it, has refused a charge. */
void vmsi_budget_note_refusal(struct vms_budget *budget,
			      struct vms_budget *refuser, size_t bytes);

#endif
