/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MOVE_H
#define VMSI_SPACE_MOVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/* Moves of mappings inside a space; see move.c. */

struct vms_space;

/* One mapping, or a part of it, on its way; see move.c. */
struct vmsi_move {
	struct vmsi_range source;   /* what moves; its end is the mapping's or below */
	struct vmsi_range target;   /* at least as long as source */
	enum vmsi_source { VMSI_UNMAP_SOURCE, VMSI_KEEP_SOURCE } keep;
	/* Found out by vmsi_move: whether source is all of a mapping. */
	enum vmsi_part { VMSI_WHOLE, VMSI_PART } part;
};
int vmsi_move(struct vms_space *space, struct vmsi_move *move);

/*
 * mremap of equal lengths to a fixed place, also of what the host has as
 * several mappings; flags: 0 or MREMAP_DONTUNMAP. All moves, or nothing does,
 * but for a target in the space that was replaced. Returns the address or
 * -errno.
 */
long vmsi_move_in_parts(struct vms_space *space, struct vmsi_range source,
			uintptr_t target, int flags);

/*
 * Move a range to a longer one, by a place outside of the space; what it has
 * become is one mapping of the host where it was one. The source stays mapped
 * in the host. *error is set where it is not done; then the source is as
 * before, and the target in the space may have been unmapped.
 */
enum vmsi_transit {
	VMSI_TRANSIT_DONE,
	VMSI_TRANSIT_NO_PLACE,   /* no addresses outside, or it cannot be told */
	VMSI_TRANSIT_NOT_KEPT,   /* the host refuses to keep the source mapped */
	VMSI_TRANSIT_REFUSED,    /* it may not grow, or not be there */
};
enum vmsi_transit vmsi_move_by_transit(struct vms_space *space,
				       struct vmsi_range source,
				       struct vmsi_range target,
				       int *error); /* transit.c */

/*
 * After the pages of a mapping, or of a part of it, have moved and it was kept:
 * on Linux all of it loses its lock, and when all of it moved it is as never
 * touched. To be called before anything else changes in the map.
 */
void vmsi_unlock_kept(struct vms_space *space, struct vmsi_range source,
		      enum vmsi_part part);
int vmsi_alias(struct vms_space *space, uintptr_t source,
	       struct vmsi_range target);

#endif
