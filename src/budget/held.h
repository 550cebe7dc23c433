/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_HELD_H
#define VMSI_BUDGET_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "budget/shared.h"
#include "commit/commit.h"

/* The objects that a budget is charged for in this process; see held.c. */

struct vms_budget;

struct vmsi_held {
	struct vmsi_held *next;        /* in its hash bucket */
	struct vmsi_object_id id;
	size_t bytes;                  /* charged */
	unsigned holders;              /* how many spaces, and budgets below */
	unsigned place;                /* in the slot; see places.h */
};

#define VMSI_HELD_BUCKETS 256
#define VMSI_NO_PLACE VMSI_BUDGET_OBJECTS

void vmsi_held_init(struct vms_budget *budget);
void vmsi_held_end(struct vms_budget *budget);

#define vmsi_for_each_held(budget, record) \
	for (size_t bucket = 0; bucket < VMSI_HELD_BUCKETS; bucket++) \
		for (struct vmsi_held *record = (budget)->held[bucket]; \
		     record; record = (record)->next)

enum vmsi_held_how { VMSI_HELD_ASK, VMSI_HELD_FORCED };
enum vmsi_held_end { VMSI_HELD_RELEASE, VMSI_HELD_TAKE_BACK };

/*
 * Charge a budget and all above it, or none, for an object, as hold of struct
 * vmsi_ledger_upper. Returns 0; -ENOMEM and who refused in *refuser; or -EAGAIN
 * if there is no memory for a record. VMSI_HELD_FORCED asks nobody.
 */
int vmsi_held_hold(struct vms_budget *budget, const struct vmsi_hold *hold,
		   size_t refund, enum vmsi_held_how how,
		   struct vms_budget **refuser);

/*
 * A holder of the budget lets an object go. VMSI_HELD_TAKE_BACK: as if it had
 * never held it, so peaks go back too.
 */
void vmsi_held_release(struct vms_budget *budget, struct vmsi_object_id id,
		       enum vmsi_held_end end);

#endif
