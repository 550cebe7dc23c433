/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MOVE_H
#define VMSI_SPACE_MOVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/* Moves of mappings inside a space; see move.c. */

struct vms_space;

/*
 * Move one mapping, or a part of it. The caller has claimed the target and
 * charged the growth. Returns 0 or -errno.
 */
struct vmsi_move {
	struct vmsi_range source;   /* lies in one mapping */
	struct vmsi_range target;   /* at least as long as source */
	enum vmsi_source { VMSI_UNMAP_SOURCE, VMSI_KEEP_SOURCE } keep;
	/* Set by vmsi_move: whether source is all of its mapping. */
	enum vmsi_part { VMSI_WHOLE, VMSI_PART } part;
};
int vmsi_move(struct vms_space *space, struct vmsi_move *move);

/*
 * Have the host move a range to target, mapping by mapping if it has several
 * there. flags: 0 or MREMAP_DONTUNMAP. If one is refused, those before it go
 * back; a target in the space may have been unmapped. Returns the address or
 * -errno.
 */
long vmsi_move_in_parts(struct vms_space *space, struct vmsi_range source,
			uintptr_t target, int flags);

/*
 * Move and grow a mapping by way of addresses outside of the space. One mapping
 * of the host stays one, and the host keeps the source mapped. Unless it is
 * done, *error is set, the source is as before, and the target may have been
 * unmapped.
 */
enum vmsi_transit {
	VMSI_TRANSIT_DONE,
	VMSI_TRANSIT_NO_PLACE,   /* no addresses, or too many mappings */
	VMSI_TRANSIT_NOT_KEPT,   /* the host does not keep the source */
	VMSI_TRANSIT_REFUSED,    /* the host refuses the growth or the target */
};
enum vmsi_transit vmsi_move_by_transit(struct vms_space *space,
				       struct vmsi_range source,
				       struct vmsi_range target,
				       int *error); /* transit.c */

/*
 * Correct the map after MREMAP_DONTUNMAP: Linux has unlocked the mapping that
 * keeps the source, and if all of it moved, it has never been touched. The
 * caller changes nothing else in the map before.
 */
void vmsi_unlock_kept(struct vms_space *space, struct vmsi_range source,
		      enum vmsi_part part);

/* Map the shared memory at source to target as well. Returns 0 or -errno. */
int vmsi_alias(struct vms_space *space, uintptr_t source,
	       struct vmsi_range target);

#endif
