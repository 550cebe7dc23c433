/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/mend.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/reservation.h"
#include "space/space.h"
#include "space/unmap.h"
#include "space/walk.h"

/* vms_munmap. */

/* Cut the holes at both ends off a range, which need no call of the host. */
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
	while (last && vmsi_is_uncovered(last))
		last = vmsi_map_previous(last);
	if (last)
		hull.end = vmsi_min(last->end, range.end);
	return hull;
}

/* Whether an end of a range is inside a huge page, which is never split. */
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
 * At the map-count limit the host maps nothing, not even in the place of
 * another mapping. So the range is unmapped first, and covered then. What
 * another thread maps in between is left alone.
 */
static int unmap_by_window(struct vms_space *space, struct vmsi_range range)
{
	long error;

	if (vmsi_claim(space, range))
		return -ENOMEM;
	vmsi_warm_trim(space, range);
	error = vmsi_host.munmap(range.start, vmsi_range_length(range));
	if (error < 0)
		return (int)error;
	vmsi_forget(space, range);
	vmsi_cover_free(space, range);
	return 0;
}

/*
 * From so many mappings on, vm.max_map_count is not far. Then it is worth a
 * call to find out whether a hole can do without a mapping of its own to the
 * host.
 */
#define MANY_MAPPINGS 4096

/*
 * Whether the memory in a range can stay, as reservation: private and
 * PROT_NONE, with no pages, advice or name, and never charged (VMSI_ACCOUNTED).
 */
static bool is_like_reservation(const struct vms_space *space,
				struct vmsi_range range)
{
	const uint32_t same = VMSI_ANONYMOUS | VMSI_NORESERVE | VMSI_GREW;
	const struct vmsi_mapping *mapping = vmsi_lookup(space, range.start);

	return mapping && mapping->end >= range.end &&
		mapping->attributes.prot == PROT_NONE &&
		!(mapping->attributes.flags & ~same) &&
		!mapping->attributes.object && !mapping->attributes.name &&
		vmsi_host_has_pages(range) == 0;
}

/* Give a range back to the host, and take what went back out of the map. */
static int unmap_hull(struct vms_space *space, struct vmsi_range hull,
		      enum vmsi_warmth warmth)
{
	uintptr_t done;
	int error = vmsi_give_back(space, hull, warmth, &done);

	if (done > hull.start)
		vmsi_forget(space, (struct vmsi_range){ hull.start, done });
	if (!error)
		return 0;
	hull.start = done;
	vmsi_mend(space, hull);
	if (error == -ENOMEM && vmsi_first(space, hull))
		error = unmap_by_window(space, hull);
	return vmsi_refused_by_host(space, error);
}

/* Unmap a whole mapping, which splits nothing and meets nothing else. */
static int unmap_whole(struct vms_space *space,
		       const struct vmsi_mapping *mapping)
{
	const uint32_t flags = mapping->attributes.flags;
	enum vmsi_warmth warmth = VMSI_COLD;

	if (flags & VMSI_SEALED)
		return -EPERM;
	/* Programs often map again what they have unmapped as a whole. */
	if (!(flags & VMSI_GROWSDOWN))
		warmth = vmsi_warm_wanted(space);
	return unmap_hull(space, vmsi_mapping_range(mapping), warmth);
}

int vmsi_unmap(struct vms_space *space, struct vmsi_range range)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, range.start);
	struct vmsi_range hull;
	int error = vmsi_reserve_to_give_back(space);

	if (mapping && mapping->start == range.start &&
	    mapping->end == range.end)
		return error ? error : unmap_whole(space, mapping);
	hull = mapped_hull(space, range);
	if (hull.start == hull.end)
		return 0;
	if (splits_huge_page(space, hull))
		return -EINVAL;
	if (vmsi_has_sealed(space, hull))
		return -EPERM;
	if (error)
		return error;
	if (space->map.count >= MANY_MAPPINGS &&
	    is_like_reservation(space, hull)) {
		vmsi_forget(space, hull);
		return 0;
	}
	vmsi_learn_touched(space, hull, VMSI_LEARN_SPLIT);
	return unmap_hull(space, hull, VMSI_COLD);
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
