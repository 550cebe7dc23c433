/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_WARM_H
#define VMSI_SPACE_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "space/cover.h"

/*
 * Warm holes. A warm hole is a hole that is a mapping of its own to the host,
 * not merged with the reservation around it, because it was made without
 * MAP_NORESERVE. To map a hole of just that length takes one mprotect, and no
 * split of the reservation.
 */

#define VMSI_WARM_HOLES 32

struct vmsi_warm_holes {
	struct vmsi_range all[VMSI_WARM_HOLES]; /* the oldest first */
	unsigned count;
	unsigned misses;        /* how many holes found all places taken */
};

/* Whether the hole of a mapping that is unmapped should be warm. */
enum vmsi_warmth vmsi_warm_wanted(struct vms_space *space);

/* Note a hole that vmsi_cover has made warm. */
void vmsi_warm_add(struct vms_space *space, struct vmsi_range hole);

/* Find the newest warm hole of exactly this length; false: none. */
bool vmsi_warm_take(struct vms_space *space, size_t length, size_t alignment,
		    uintptr_t *start);

/* Forget what warm holes have in a range that is no hole any more. */
void vmsi_warm_trim(struct vms_space *space, struct vmsi_range range);

#endif
