/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_HELD_H
#define VMSI_BUDGET_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "budget/shared.h"
#include "commit/commit.h"

/* The objects that this process holds at a budget; see held.c. */

struct vms_budget;

/* An object that this process holds at a budget. */
struct vmsi_held {
	struct vmsi_held *next;        /* in its hash bucket */
	struct vmsi_object_id id;
	size_t bytes;                  /* that are charged */
	unsigned holders;              /* spaces, and budgets below */
	unsigned place;                /* in the slot, or VMSI_NO_PLACE */
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
 * Hold an object at a budget and all above it, or at none, as the hold call of
 * struct vmsi_ledger_upper does. Returns 0; -ENOMEM and *refuser; -EAGAIN: no
 * memory to note it.
 */
int vmsi_held_hold(struct vms_budget *budget, const struct vmsi_hold *hold,
		   size_t refund, enum vmsi_held_how how,
		   struct vms_budget **refuser);

/* One holder lets an object go; VMSI_HELD_TAKE_BACK: peaks are as before it. */
void vmsi_held_release(struct vms_budget *budget, struct vmsi_object_id id,
		       enum vmsi_held_end end);

#endif
