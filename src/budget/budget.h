/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_BUDGET_H
#define VMSI_BUDGET_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include <vmspace/budget.h>

#include "commit/commit.h"

/*
 * What spaces need of a budget: all that other rooms may include of this one, but
 * for readers of figures (shared.h).
 */

/* Register the handlers of fork, if that was not done. */
void vmsi_budget_handle_fork(void);

/* The device of objects that are no files; see vmsi_budget_new_object. */
#define VMSI_NO_DEVICE UINT64_MAX

/* --- before a refusal: callback.c ----------------------------------------- */

/* Forget what was refused in this thread before. */
void vmsi_budget_begin(void);

/* The charge of this thread that was refused latest. */
struct vmsi_budget_refusal {
	struct vms_budget *budget;  /* to be charged; NULL: not refused */
	struct vms_budget *refuser; /* it, or one above it */
	size_t bytes;
	unsigned since;             /* vmsi_reclaim_moment of vmsi_budget_begin */
};

/*
 * Keep the refusal over other calls of this thread, and bring it back, so that
 * vmsi_budget_ask asks about it.
 */
struct vmsi_budget_refusal vmsi_budget_latest(void);
void vmsi_budget_recall(const struct vmsi_budget_refusal *refusal);

/* Who was asked to give memory back for a request, since it was first refused. */
struct vmsi_attempts {
	unsigned callbacks;    /* how often they were asked */
	bool heaps_of_refuser; /* heaps charged to the budget that refuses */
	bool all_heaps;
};

enum vmsi_budget_answer {
	VMSI_BUDGET_DID_NOT_REFUSE,
	VMSI_BUDGET_REFUSES,   /* for good; it has been counted */
	VMSI_BUDGET_TRY_AGAIN, /* make the charge again */
};

/*
 * After a request of this thread has failed, with no lock held: about the charge
 * that was refused latest since vmsi_budget_begin, ask the heaps whose memory
 * the refuser is charged to give back what they retain, then the callbacks.
 * *attempts is zero at first. errno stays as it is.
 */
enum vmsi_budget_answer vmsi_budget_ask(struct vmsi_attempts *attempts);

/* --- charging: budget.c, held.c ------------------------------------------- */

/* A ledger's upper level; its context is the struct vms_budget. */
extern const struct vmsi_ledger_upper vmsi_budget_upper;

/* Whether a budget is another one, or has it above. */
bool vmsi_budget_is_under(const struct vms_budget *budget,
			  const struct vms_budget *above);

/*
 * An identity for an object that is no file: no other object that a budget or
 * one above it is charged for has it, in whatever process. Makes no system call.
 */
struct vmsi_object_id vmsi_budget_new_object(struct vms_budget *budget);

/* A budget cannot be closed while it is used. */
void vmsi_budget_use(struct vms_budget *budget);
void vmsi_budget_unuse(struct vms_budget *budget);

#endif
