/* SPDX-License-Identifier: MIT */
#include "space/space.h"

/*
 * Warm holes: holes that the host holds as a mapping each, apart from the
 * reservation around them. To map over one exactly costs the host no split of
 * the reservation, and to give it rights makes it a mapping in one call.
 */

static void remove_warm(struct vms_space *space, unsigned at)
{
	space->warm.count--;
	for (; at < space->warm.count; at++)
		space->warm.all[at] = space->warm.all[at + 1];
}

/*
 * Make a hole part of the reservation again. Left as it is, it would cost the
 * host a mapping for nothing.
 */
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
	 * While every place is taken, new holes are cold: to cool an old one
	 * for each would cost a call more. From time to time the oldest go, so
	 * that new sizes get a chance.
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
