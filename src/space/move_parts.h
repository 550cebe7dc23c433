/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MOVE_PARTS_H
#define VMSI_SPACE_MOVE_PARTS_H

#include "space/move.h"
#include "space/space.h"

enum vmsi_move_way { VMSI_MOVE_THERE, VMSI_MOVE_BACK };

/* A range that the host moves mapping by mapping; see move_parts.c. */
struct vmsi_parts_move {
	struct vmsi_range source;
	uintptr_t target;
	int flags;                    /* 0 or MREMAP_DONTUNMAP */
	enum vmsi_move_way way;
	uintptr_t moved;              /* how far the source has moved */
	uintptr_t opened;             /* how far the target may be unmapped */
};

/* vmsi_move_in_parts, which sets moved and opened for its caller. */
long vmsi_move_or_undo(struct vms_space *space, struct vmsi_parts_move *move);

#endif
