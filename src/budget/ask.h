/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_ASK_H
#define VMSI_BUDGET_ASK_H

#include "budget/record.h"

/* Charging a shared budget, which other processes may charge too; see ask.c. */

/*
 * Charge private memory to this process's slot and ledger. Returns 0, or
 * -ENOMEM if it does not fit or the process has no slot.
 */
int vmsi_ask_and_charge(struct vms_budget *budget, size_t bytes);

/*
 * Ask whether this process may hold so many bytes of an object. refund is the
 * private memory that is given back in the same step. If it may, the question
 * stays in the slot, so that nobody else takes the bytes, until
 * vmsi_ask_granted.
 */
bool vmsi_ask_for_object(struct vms_budget *budget, struct vmsi_held *held,
			 size_t bytes, size_t refund);

/* Show others what the ledger has been charged, and take the question back. */
void vmsi_ask_granted(struct vms_budget *budget);

#endif
