/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_STACK_H
#define VMSI_SPACE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "base/pool.h"

/*
 * MAP_GROWSDOWN mappings, called stacks in names. All that is done for them is
 * in stack.c and stack_list.c. An operation calls them where it
 *
 *   enters           vmsi_stacks_refresh   learns how far they have grown
 *   makes one        vmsi_stacks_begin     can fail, before the host is called
 *   reserves         vmsi_stacks_reserve   can fail, before the host is called
 *   claims a range   vmsi_stacks_close     before it maps in an open gap
 *   changes the map  vmsi_stacks_changed   cannot fail, since it has reserved
 *   leaves           vmsi_stacks_update    opens gaps, once the map is final
 *   closes           vmsi_stacks_first_open  leaves the gaps as they are
 *
 * A space that never had such a mapping pays a comparison for each.
 */

struct vms_space;

/* One MAP_GROWSDOWN mapping, and the open gap below it (drawn in stack.c). */
struct vmsi_stack {
	struct vmsi_stack *next;
	uintptr_t start;        /* of the mapping in the map */
	uintptr_t open_from;    /* the open gap is [open_from, start) */
};

struct vmsi_stacks {
	struct vmsi_stack *first;
	struct vmsi_pool pool;
	bool any;               /* some mapping has been MAP_GROWSDOWN */
};

/* --- stack_list.c ---------------------------------------------------------- */

/* Reserve memory for so many records of stacks. Returns 0 or -ENOMEM. */
int vmsi_stacks_reserve(struct vmsi_stacks *stacks, size_t count);

/* The MAP_GROWSDOWN mapping that begins at start; NULL: none does. */
struct vmsi_mapping *vmsi_growing_at(const struct vms_space *space,
				     uintptr_t start);

/*
 * After the map has changed in a range: list the MAP_GROWSDOWN mappings that
 * hold its first address or the one after its last. One that was cut begins
 * there now.
 */
void vmsi_stacks_changed(struct vms_space *space, struct vmsi_range range);

/* Set *first to the first open gap from at on, if that begins before *first. */
void vmsi_stacks_first_open(const struct vms_space *space, uintptr_t at,
			    struct vmsi_range *first);

/* Whether a range in a hole reaches into the guard gap of a mapping. */
bool vmsi_is_in_guard(const struct vms_space *space, struct vmsi_range range);

/* --- stack.c --------------------------------------------------------------- */

/*
 * Before the host makes a MAP_GROWSDOWN mapping: close all gaps behind
 * mappings, which could meet those below, and allow no more. Returns 0, or
 * -ENOMEM with its reason.
 */
int vmsi_stacks_begin(struct vms_space *space);

/* Find out how far the host has grown each mapping; charge and publish that. */
void vmsi_stacks_refresh(struct vms_space *space);

/*
 * Open the gap below each listed mapping as far as it should be, and close the
 * gaps of those that are gone.
 */
void vmsi_stacks_update(struct vms_space *space);

/* Close the open gaps in a range, and note what is foreign there. */
void vmsi_stacks_close(struct vms_space *space, struct vmsi_range range);

#endif
