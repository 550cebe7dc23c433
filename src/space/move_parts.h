/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MOVE_PARTS_H
#define VMSI_SPACE_MOVE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "space/move.h"
#include "space/space.h"

/* A range that the host moves mapping by mapping; see move_parts.c. */
struct vmsi_parts_move {
	struct vmsi_range source;
	uintptr_t target;
	int flags;                    /* 0 or MREMAP_DONTUNMAP */
	uintptr_t moved;              /* how far the source has moved */
	uintptr_t opened;             /* how far the target may be unmapped */
};

/* vmsi_move_in_parts, which sets moved and opened for its caller. */
long vmsi_move_or_undo(struct vms_space *space, struct vmsi_parts_move *move);

/*
 * Move a range back that vmsi_move_in_parts has moved. The host has no reason to
 * refuse, since it charges nothing more and has as many mappings as before the move.
 * If it refuses all the same, this panics: the records say that the memory is where it
 * came from, so the program would lose it.
 */
void vmsi_move_back(struct vms_space *space, struct vmsi_range moved,
		    uintptr_t to);

/*
 * A move that may have to be undone is made of several moves, and one of them is
 * about to move so many bytes of the whole. At the map-count limit these could not
 * move back, since that splits the host's mappings again. A move of the whole needs
 * no way back, and a move back is tried in any case.
 */
enum vmsi_move_way { VMSI_MOVE_THERE, VMSI_MOVE_BACK };
bool vmsi_could_not_move_back(const struct vms_space *space,
			      enum vmsi_move_way way, size_t bytes,
			      size_t whole);

#endif
