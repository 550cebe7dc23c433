/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_PLACES_H
#define VMSI_BUDGET_PLACES_H

#include "budget/held.h"

/* The objects in the slots of a shared budget; see places.c. */

/* What the objects of all slots come to, each counted once. */
struct vmsi_object_sums {
	size_t charged;                /* bytes */
	size_t asked;                  /* by others, beside that */
	size_t of_question;            /* bytes that the one asked about has */
	bool lower_asks;               /* one in a lower slot does */
	bool is_exact;                 /* all of it was so at one instant */
	bool is_changing;              /* a process was storing meanwhile */
};

/* Empty the places of a slot. */
void vmsi_places_clear(struct vms_budget *budget, unsigned slot);

/*
 * Get a place in the slot, if there is one. What has none is charged as memory
 * of this process alone, so it may be charged again by others.
 */
void vmsi_places_get(struct vms_budget *budget, struct vmsi_held *held);
void vmsi_places_put(struct vms_budget *budget, struct vmsi_held *held);

/* Ask for so many bytes of an object that has a place; 0: ask no more. */
void vmsi_places_ask(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes);

/*
 * Write what is charged into the place, if it has one; held->bytes is still what
 * it was. Nothing is asked for any more.
 */
void vmsi_places_set(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes);

/* Without a slot: no object has a place. */
void vmsi_places_forget(struct vms_budget *budget);

/* In a new slot, which is empty: places for all that is held. */
void vmsi_places_fill(struct vms_budget *budget);

/* Write all that has a place into the same place of another slot. */
void vmsi_places_copy(struct vms_budget *budget, unsigned slot);

/*
 * What the objects of the first slots come to. question: one that this process
 * asks for; who else asks for the same is left out.
 */
struct vmsi_object_sums vmsi_places_sum(struct vms_budget *budget,
					unsigned slots,
					const struct vmsi_held *question);

#endif
