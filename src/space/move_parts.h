/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MOVE_PARTS_H
#define VMSI_SPACE_MOVE_PARTS_H

#include "space/move.h"
#include "space/space.h"

enum vmsi_move_way { VMSI_MOVE_THERE, VMSI_MOVE_BACK };

/* A move in parts to a fixed place, and how far it has come; see move_parts.c. */
struct vmsi_parts_move {
	struct vmsi_range source;
	uintptr_t target;
	int flags;                    /* 0 or MREMAP_DONTUNMAP */
	enum vmsi_move_way way;
	uintptr_t moved;              /* source: up to here it has gone */
	uintptr_t opened;             /* target: up to here it may be unmapped */
};

/*
 * As vmsi_move_in_parts, and tells in the struct how far it came. What has moved
 * is back where it was when a later part is refused.
 */
long vmsi_move_or_undo(struct vms_space *space, struct vmsi_parts_move *move);

#endif
