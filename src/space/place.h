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

/* Debug builds: places that mappings moved away from, the latest ones. */
struct vmsi_left_places {
	struct vmsi_range all[VMSI_LEFT_PLACES];
	unsigned count;         /* that were noted so far; all is a ring */
};

enum vmsi_growth { VMSI_MAY_GROW, VMSI_STAYS };

/* A place for a mapping; residue: its address modulo alignment. */
struct vmsi_place_request {
	size_t length;
	size_t alignment;
	size_t residue;
	enum vmsi_growth growth;
};
int vmsi_place(struct vms_space *space, const struct vmsi_place_request *request,
	       uintptr_t *start);

/*
 * In a debug build: do not place anything here for a while, so that a stale
 * pointer faults.
 */
void vmsi_note_left(struct vms_space *space, struct vmsi_range range);

/*
 * A place of new_length bytes for a mapping whose pages move there from old. The
 * place is congruent to old modulo as large a page table as can be, so that the host
 * moves tables and not entries.
 */
int vmsi_place_move(struct vms_space *space, const struct vmsi_mapping *mapping,
		    uintptr_t old, size_t new_length, uintptr_t *start);

#endif
