/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_PLACES_H
#define VMSI_BUDGET_PLACES_H

#include "budget/held.h"

/*
 * The places of a slot of a shared budget: each is for one object that the
 * process holds. See places.c.
 */

/* The sum over the objects of all slots, each counted once. */
struct vmsi_object_sums {
	size_t charged;                /* bytes */
	size_t asked;                  /* bytes that others want beyond it */
	size_t of_question;            /* bytes charged for that object */
	bool lower_asks;               /* a process in a lower slot asks */
	bool is_exact;                 /* it was so at one instant */
	bool is_changing;              /* not exact: a slot had changing at 1 */
};

/* Empty the places of a slot whose lock the caller has. */
void vmsi_places_clear(struct vms_budget *budget, unsigned slot);

/*
 * Get a place for an object, and give it back. Without one (all 128 are in use)
 * the object is charged as if this process alone held it, and again by others.
 */
void vmsi_places_get(struct vms_budget *budget, struct vmsi_held *held);
void vmsi_places_put(struct vms_budget *budget, struct vmsi_held *held);

/* Write into an object's place how many bytes of it are asked for. */
void vmsi_places_ask(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes);

/*
 * Write into an object's place, if it has one, that bytes are charged, and that
 * none are asked for. The caller sets held->bytes afterwards.
 */
void vmsi_places_set(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes);

/* The process has no slot any more, so no object has a place. */
void vmsi_places_forget(struct vms_budget *budget);

/* The process has a new slot: get a place for each object that it holds. */
void vmsi_places_fill(struct vms_budget *budget);

/* Copy all places of this process into another slot, for a child. */
void vmsi_places_copy(struct vms_budget *budget, unsigned slot);

/*
 * Sum up the objects in the slots before number slots. question is the object
 * that this process asks for, or NULL; others that ask for the same one do not
 * count.
 */
struct vmsi_object_sums vmsi_places_sum(struct vms_budget *budget,
					unsigned slots,
					const struct vmsi_held *question);

#endif
