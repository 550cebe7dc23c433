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

/* The budget whose callback this thread is in; NULL: it is in none. */
const struct vms_budget *vmsi_callback_budget(void);

/* Call the next callback of a round, with no lock held. errno stays as it is. */
enum vmsi_callback_answer {
	VMSI_ALL_ASKED,        /* there is none any more */
	VMSI_GAVE_NOTHING,
	VMSI_SAYS_AGAIN,
};

struct vmsi_round;

enum vmsi_callback_answer vmsi_callback_ask(struct vmsi_round *round, size_t bytes,
					    unsigned attempt);

/* Under the lock, which is let go of meanwhile: wait until no thread is in a callback. */
void vmsi_callback_await(struct vms_budget *budget);

#endif
