/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_WARM_H
#define VMSI_SPACE_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "space/cover.h"

/* Holes that are likely to be mapped again; see warm.c. */

#define VMSI_WARM_HOLES 32

struct vmsi_warm_holes {
	struct vmsi_range all[VMSI_WARM_HOLES]; /* the oldest first */
	unsigned count;
	unsigned misses;        /* holes made while all places were taken */
};

/* Whether a hole of a whole mapping should be warm. */
enum vmsi_warmth vmsi_warm_wanted(struct vms_space *space);

/* Note a hole that the host has been given as a mapping of its own. */
void vmsi_warm_add(struct vms_space *space, struct vmsi_range hole);

/* The start of a warm hole of exactly this length; false: none. */
bool vmsi_warm_take(struct vms_space *space, size_t length, size_t alignment,
		    uintptr_t *start);

/* Forget warm holes in a range that is being mapped. */
void vmsi_warm_trim(struct vms_space *space, struct vmsi_range range);

#endif
