/* SPDX-License-Identifier: MIT */
#include "space/space.h"

static void remove_warm(struct vms_space *space, unsigned at)
{
	space->warm.count--;
	for (; at < space->warm.count; at++)
		space->warm.all[at] = space->warm.all[at + 1];
}

/* Make a hole part of the reservation again, which saves the host a mapping. */
static void cool(const struct vms_space *space, struct vmsi_range range)
{
	(void)vmsi_cover(space, range, VMSI_COLD);
}

void vmsi_warm_add(struct vms_space *space, struct vmsi_range hole)
{
	if (space->warm.count == VMSI_WARM_HOLES) {
		cool(space, space->warm.all[0]);
		remove_warm(space, 0);
	}
	space->warm.all[space->warm.count++] = hole;
}

enum vmsi_warmth vmsi_warm_wanted(struct vms_space *space)
{
	/*
	 * While all places are taken, new holes are cold, since it takes a call
	 * to cool an old one. Only every 32nd takes the place of the oldest, so
	 * that holes of new lengths become warm, too.
	 */
	if (space->warm.count < VMSI_WARM_HOLES)
		return VMSI_WARM;
	if (++space->warm.misses % VMSI_WARM_HOLES)
		return VMSI_COLD;
	return VMSI_WARM;
}

bool vmsi_warm_take(struct vms_space *space, size_t length, size_t alignment,
		    uintptr_t *start)
{
	for (unsigned i = space->warm.count; i-- > 0;) {
		const struct vmsi_range hole = space->warm.all[i];

		if (vmsi_range_length(hole) == length &&
		    vmsi_is_aligned(hole.start, alignment)) {
			*start = hole.start;
			return true;
		}
	}
	return false;
}

void vmsi_warm_trim(struct vms_space *space, struct vmsi_range range)
{
	for (unsigned i = space->warm.count; i-- > 0;) {
		struct vmsi_range *hole = &space->warm.all[i];
		struct vmsi_range below = { hole->start, range.start };
		struct vmsi_range above = { range.end, hole->end };

		if (!vmsi_range_overlaps(*hole, range))
			continue;
		if (above.start < above.end) {
			*hole = above;
			if (below.start < below.end)
				cool(space, below);
		} else if (below.start < below.end) {
			*hole = below;
		} else {
			remove_warm(space, i);
		}
	}
}
