/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "space/inside.h"
#include "space/move_parts.h"
#include "space/space.h"

/*
 * A range of several mappings moves by one vms_mremap for each, so that those
 * which have moved can go back when a later one is refused.
 */

/* Returns how many bytes were moved; errno says why if that is not all. */
static size_t move_mappings(struct vms_space *space, struct vmsi_range range,
			    uintptr_t target, int flags,
			    enum vmsi_move_way way)
{
	const size_t length = vmsi_range_length(range);
	size_t moved = 0;

	while (moved < length) {
		const uintptr_t start = range.start + moved;
		const size_t piece = vmsi_length_in_mapping(space, start,
							    length - moved);

		if (vmsi_could_not_move_back(space, way, piece, length)) {
			errno = ENOMEM;
			break;
		}
		if (vms_mremap(space, (void *)start, piece, piece,
			       MREMAP_MAYMOVE | MREMAP_FIXED | flags,
			       (void *)(target + moved)) == MAP_FAILED)
			break;
		moved += piece;
	}
	return moved;
}

static void move_back(struct vms_space *space, struct vmsi_range moved,
		      uintptr_t to)
{
	if (move_mappings(space, moved, to, 0, VMSI_MOVE_BACK) <
	    vmsi_range_length(moved))
		vmsi_panic("space: a range cannot be put together again");
}

int vmsi_move_range(struct vms_space *space, struct vmsi_range range,
		    struct vmsi_range target, int flags)
{
	const size_t moved = move_mappings(space, range, target.start, flags,
					   VMSI_MOVE_THERE);
	const int error = -errno;
	const struct vmsi_range arrived = { target.start, target.start + moved };

	if (moved == vmsi_range_length(range))
		return 0;
	/* The call that was refused may have unmapped a part of the target. */
	(void)vms_munmap(space, (void *)arrived.end,
			 target.end - arrived.end);
	if (moved)
		move_back(space, arrived, range.start);
	return error;
}
