/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_STACK_H
#define VMSI_SPACE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "base/pool.h"

/*
 * MAP_GROWSDOWN. All that is done for it is in stack.c and stack_list.c, which the
 * rest of the room calls when a call enters and leaves, when the map changes, and
 * before a range is used. A space that never had such a mapping pays a comparison
 * for each.
 */

struct vms_space;

/*
 * A growing mapping. The host grows it into addresses that are free, so the
 * guard gap below it is not covered by the reservation.
 */
struct vmsi_stack {
	struct vmsi_stack *next;
	uintptr_t start;        /* of the mapping, as the map has it */
	uintptr_t open_from;    /* the host has nothing in [open_from, start) */
};

struct vmsi_stacks {
	struct vmsi_stack *first;
	struct vmsi_pool pool;
	bool any;               /* some mapping was MAP_GROWSDOWN before */
};

/* --- stack_list.c: which mappings grow ------------------------------------ */

/* Memory for so many records of stacks. Returns 0 or -ENOMEM. */
int vmsi_stacks_reserve(struct vmsi_stacks *stacks, size_t count);

/* The growing mapping that begins at start; NULL: none does. */
struct vmsi_mapping *vmsi_growing_at(const struct vms_space *space,
				     uintptr_t start);

/*
 * The map has changed in a range: a growing mapping may begin at either end of
 * it now.
 */
void vmsi_stacks_changed(struct vms_space *space, struct vmsi_range range);

/* Make *first the first open gap from at on, if it comes before *first. */
void vmsi_stacks_first_open(const struct vms_space *space, uintptr_t at,
			    struct vmsi_range *first);

/* Whether a range that is free comes closer to a growing mapping than its guard. */
bool vmsi_is_in_guard(const struct vms_space *space, struct vmsi_range range);

/* --- stack.c --------------------------------------------------------------- */

/*
 * Before the space's first growing mapping is made. Returns 0, or -ENOMEM with
 * its reason.
 */
int vmsi_stacks_begin(struct vms_space *space);

/* As a call enters: learn how far mappings have grown by being touched. */
void vmsi_stacks_refresh(struct vms_space *space);

/*
 * As a call leaves: open the gaps below new growing mappings, close those of
 * mappings that are gone.
 */
void vmsi_stacks_update(struct vms_space *space);

/*
 * Before a range is used: close the gaps that reach into it, finding out what is
 * foreign there.
 */
void vmsi_stacks_close(struct vms_space *space, struct vmsi_range range);

#endif
