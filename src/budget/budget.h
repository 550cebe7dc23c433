/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_BUDGET_H
#define VMSI_BUDGET_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <vmspace/budget.h>

#include "commit/commit.h"

/*
 * What spaces need of a budget. No other header of src/budget may be included
 * elsewhere, but shared.h by readers of figures.
 */

/* Register the fork handlers, at the first call. */
void vmsi_budget_handle_fork(void);

/* The device in the identity of an object that is no file. */
#define VMSI_NO_DEVICE UINT64_MAX

/* --- before a refusal: callback.c ----------------------------------------- */

/* A call of this thread begins: forget what was refused before. */
void vmsi_budget_begin(void);

/* The latest charge that was refused in this thread. */
struct vmsi_budget_refusal {
	struct vms_budget *budget;  /* that was to be charged; NULL: none */
	struct vms_budget *refuser; /* budget, or one above it */
	size_t bytes;
	unsigned since;             /* vmsi_reclaim_moment at the begin */
};

/* Save the refusal over other calls of this thread, for vmsi_budget_ask. */
struct vmsi_budget_refusal vmsi_budget_latest(void);
void vmsi_budget_recall(const struct vmsi_budget_refusal *refusal);

/* Who has been asked to give memory back for one request; zero at first. */
struct vmsi_attempts {
	unsigned callbacks;    /* how often callbacks were */
	bool heaps_of_refuser; /* heaps under the budget that refuses */
	bool all_heaps;
};

enum vmsi_budget_answer {
	VMSI_BUDGET_DID_NOT_REFUSE,
	VMSI_BUDGET_REFUSES,   /* nobody gave anything; it was counted */
	VMSI_BUDGET_TRY_AGAIN, /* something was given back: charge again */
};

/*
 * After a request of this thread has failed, with no lock held: for the charge
 * that was refused since vmsi_budget_begin, ask heaps under the refuser to give
 * back what they retain, and then the callbacks to free something. errno stays
 * as it is.
 */
enum vmsi_budget_answer vmsi_budget_ask(struct vmsi_attempts *attempts);

/* --- after a request: soft.c ------------------------------------------------- */

/* How many budgets have a soft limit. */
extern _Atomic unsigned vmsi_soft_limits;

/*
 * At the end of a public call that may have charged something, with no lock held: where it
 * has passed a soft limit, call callbacks early. errno stays as it is.
 */
void vmsi_budget_tell_early_now(void);

static inline void vmsi_budget_tell_early(void)
{
	if (atomic_load_explicit(&vmsi_soft_limits, memory_order_relaxed))
		vmsi_budget_tell_early_now();
}

/* --- the tree: round.c ------------------------------------------------------ */

/* Whether above is the budget itself or one of its parents. */
bool vmsi_budget_is_under(const struct vms_budget *budget,
			  const struct vms_budget *above);

/* --- charging: budget.c, held.c ------------------------------------------- */

/* How a ledger charges a budget; the context is the struct vms_budget. */
extern const struct vmsi_ledger_upper vmsi_budget_upper;

/*
 * Make an identity for an object that is no file. No other object that is
 * charged to the budget, or to one above it, in any process, has the same. No
 * system call.
 */
struct vmsi_object_id vmsi_budget_new_object(struct vms_budget *budget);

/* Count a space or a budget below, while which a budget cannot be closed. */
void vmsi_budget_use(struct vms_budget *budget);
void vmsi_budget_unuse(struct vms_budget *budget);

#endif
