/* SPDX-License-Identifier: MIT */
#include "space/state.h"

/* vms_munmap. */

/*
 * The part of a range from its first mapping to the end of its last: the holes
 * at its ends need no call.
 */
static struct vmsi_range mapped_hull(const struct vms_space *space,
				     struct vmsi_range range)
{
	struct vmsi_range hull = { range.end, range.end };
	struct vmsi_mapping *first = vmsi_first(space, range);
	struct vmsi_mapping *last;

	if (!first)
		return hull;
	hull.start = vmsi_max(first->start, range.start);
	last = vmsi_map_find(&space->map, range.end - 1);
	if (!last || last->start >= range.end)
		last = last ? vmsi_map_previous(last) : NULL;
	while (last && vmsi_is_unheld(last))
		last = vmsi_map_previous(last);
	if (last)
		hull.end = vmsi_min(last->end, range.end);
	return hull;
}

/* A hole that is likely to be asked for again: one whole plain mapping. */
static enum vmsi_warmth warmth_of(struct vms_space *space,
				  struct vmsi_range hull)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, hull.start);

	if (!mapping || mapping->start != hull.start ||
	    mapping->end != hull.end ||
	    (mapping->attributes.flags & (uint32_t)VMSI_GROWSDOWN))
		return VMSI_COLD;
	return vmsi_warm_wanted(space);
}

/* Part of a huge page cannot go. */
static bool splits_huge_page(const struct vms_space *space,
			     struct vmsi_range range)
{
	const uintptr_t ends[] = { range.start, range.end };

	for (size_t i = 0; i < 2; i++) {
		struct vmsi_mapping *mapping = vmsi_lookup(space, ends[i]);

		if (mapping && mapping->start != ends[i] &&
		    !vmsi_is_aligned(ends[i], (uintptr_t)1 <<
				     mapping->attributes.page_shift))
			return true;
	}
	return false;
}

/*
 * At the map-count limit the host makes no mapping, not even in the place of
 * another. To unmap first makes room for one; what another thread maps in
 * between is found out.
 */
static int unmap_by_window(struct vms_space *space, struct vmsi_range range)
{
	long error;

	if (!vmsi_may_replace(space, range))
		return -ENOMEM;
	vmsi_warm_trim(space, range);
	error = vmsi_host.munmap(range.start, vmsi_range_length(range));
	if (error < 0)
		return (int)error;
	vmsi_forget(space, range);
	vmsi_hold(space, range);
	return 0;
}

int vmsi_unmap(struct vms_space *space, struct vmsi_range range)
{
	struct vmsi_range hull = mapped_hull(space, range);
	uintptr_t done;
	int error;

	if (hull.start == hull.end)
		return 0;
	if (splits_huge_page(space, hull))
		return -EINVAL;
	if (vmsi_has_sealed(space, hull))
		return -EPERM;
	error = vmsi_reserve_records(space);
	if (error)
		return error;
	vmsi_learn_touched(space, hull, VMSI_LEARN_SPLIT);
	error = vmsi_give_back(space, hull, warmth_of(space, hull), &done);
	if (done > hull.start)
		vmsi_forget(space, (struct vmsi_range){ hull.start, done });
	hull.start = done;
	if (error)
		vmsi_settle(space, hull);
	if (error == -ENOMEM && vmsi_first(space, hull))
		error = unmap_by_window(space, hull);
	return vmsi_refused_by_host(space, error);
}

int vms_munmap(vms_space *space, void *address, size_t length)
{
	struct vmsi_range range;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	if (length == 0 ||
	    !vmsi_is_aligned((uintptr_t)address, vmsi_page_size()) ||
	    !vmsi_page_range((uintptr_t)address, length, &range) ||
	    !vmsi_inside(space, range))
		error = -EINVAL;
	else
		error = vmsi_unmap(space, range);
	vmsi_leave(space);
	return vmsi_status(error);
}
