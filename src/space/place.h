/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_PLACE_H
#define VMSI_SPACE_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/* Where mappings go that were given no address; see place.c. */

struct vms_space;
struct vmsi_mapping;

#define VMSI_LEFT_PLACES 16

/* Debug builds: the latest places that mappings have moved away from. */
struct vmsi_left_places {
	struct vmsi_range all[VMSI_LEFT_PLACES]; /* a ring */
	unsigned count;         /* of all places that were ever noted */
};

enum vmsi_growth { VMSI_MAY_GROW, VMSI_STAYS };

/*
 * Choose a place in a hole for a mapping, and close the open gaps there.
 * residue is what its address shall be modulo alignment. Returns 0 or -ENOMEM.
 */
struct vmsi_place_request {
	size_t length;
	size_t alignment;
	size_t residue;
	enum vmsi_growth growth;
};
int vmsi_place(struct vms_space *space, const struct vmsi_place_request *request,
	       uintptr_t *start);

/* Debug builds: place nothing here for a while: stale pointers fault. */
void vmsi_note_left(struct vms_space *space, struct vmsi_range range);

/*
 * Choose a place of new_length bytes for a mapping that moves from old. If
 * possible it is congruent to old modulo what a page table covers, so that the
 * host moves whole tables. Returns 0, or -ENOMEM with its reason.
 */
int vmsi_place_move(struct vms_space *space, const struct vmsi_mapping *mapping,
		    uintptr_t old, size_t new_length, uintptr_t *start);

#endif
