/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "space/inside.h"
#include "space/mend.h"
#include "space/refusal.h"
#include "space/reservation.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * An operation takes addresses from the reservation, or gives them back to it.
 * First it closes the open gaps in the range, which finds foreign memory in
 * them.
 */

static void close_open_gaps(struct vms_space *space, struct vmsi_range range)
{
	vmsi_gaps_close(space, range);
	vmsi_stacks_close(space, range);
}

int vmsi_claim(struct vms_space *space, struct vmsi_range range)
{
	vmsi_gaps_close(space, range);
	if (!vmsi_may_replace(space, range))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	vmsi_stacks_close(space, range);
	return vmsi_may_replace(space, range) ? 0 :
		vmsi_refused_by_host(space, -ENOMEM);
}

/* --- giving back ---------------------------------------------------------- */

int vmsi_give_back(struct vms_space *space, struct vmsi_range range,
		   enum vmsi_warmth warmth, uintptr_t *done)
{
	close_open_gaps(space, range);
	vmsi_warm_trim(space, range);
	for (*done = range.start; *done < range.end; *done = range.start) {
		struct vmsi_range part = vmsi_next_ours(space, range);

		if (part.start < part.end) {
			int error = vmsi_cover(space, part, warmth);

			if (error)
				return error;
			if (warmth == VMSI_WARM)
				vmsi_warm_add(space, part);
		}
		range.start = part.end;
	}
	return 0;
}

void vmsi_give_back_or_leave(struct vms_space *space, struct vmsi_range range)
{
	close_open_gaps(space, range);
	vmsi_warm_trim(space, range);
	vmsi_cover_or_leave(space, range);
}

/* --- getting back --------------------------------------------------------- */

/* Cover what is uncovered in a hull, and note again what stays so. */
static void recover_hull(struct vms_space *space, struct vmsi_range hull)
{
	uintptr_t at = hull.start;
	struct vmsi_mapping *mapping;

	close_open_gaps(space, hull);
	/* Those who had mapped foreign memory may have unmapped it. */
	vmsi_mend(space, hull);
	while ((mapping = vmsi_map_find(&space->map, at)) &&
	       mapping->start < hull.end) {
		struct vmsi_range range = vmsi_mapping_range(mapping);
		bool leftover = vmsi_has(&mapping->attributes, VMSI_LEFTOVER);

		at = range.end;
		if (!vmsi_is_uncovered(mapping))
			continue;
		if (leftover && vmsi_cover(space, range, VMSI_COLD) == 0)
			vmsi_map_erase(&space->map, range);
		else
			vmsi_uncovered_note(space, range);
	}
}

void vmsi_recover(struct vms_space *space)
{
	struct vmsi_range hulls[VMSI_UNCOVERED_HULLS];
	unsigned count = space->uncovered.count;

	for (unsigned i = 0; i < count; i++)
		hulls[i] = space->uncovered.hulls[i];
	space->uncovered.count = 0;
	for (unsigned i = 0; i < count; i++)
		recover_hull(space, hulls[i]);
}
