/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_ASK_H
#define VMSI_BUDGET_ASK_H

#include "budget/record.h"

/* Charging a shared budget, where other processes may charge too; see ask.c. */

/*
 * Charge the slot and the ledger. Returns 0, or -ENOMEM where it does not fit,
 * or there is no slot.
 */
int vmsi_ask_and_charge(struct vms_budget *budget, size_t bytes);

/*
 * Whether a process may hold so much of an object; where it may, the question
 * still stands, until the object has its place and vmsi_ask_granted is called.
 * refund: bytes of private memory that are given back in the same step.
 */
bool vmsi_ask_for_object(struct vms_budget *budget, struct vmsi_held *held,
			 size_t bytes, size_t refund);
void vmsi_ask_granted(struct vms_budget *budget);

#endif
