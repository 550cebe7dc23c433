/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "space/mend.h"
#include "space/move.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * Moving a mapping that grows on its way, so that it stays one mapping of the
 * host. Only mremap itself makes a mapping longer with its place among the
 * host's pages (anon_vma and page offset), and what was mapped anew behind it
 * would never be merged with it. But a mremap that grows keeps no source, and
 * the source's addresses would be free for an instant. So it takes two steps,
 * by a place outside of the space, whose addresses may be anybody's again:
 *
 *   old:      |####|  --mremap, kept-->  |    |  --reservation-->  hole
 *   outside:           |####|  --mremap, longer-->
 *   new:                                 |####|extension|
 */

/* Page tables move by whole tables where the places are congruent. */
static size_t congruence_of(size_t length)
{
	const size_t table = vmsi_page_size() * (vmsi_page_size() / 8);
	const size_t tables = table * (vmsi_page_size() / 8);

	if (length >= tables)
		return tables;
	return length >= table ? table : vmsi_page_size();
}

/*
 * Find an address outside that is congruent to the source and free now. If
 * another thread maps something there first, the host chooses another one.
 */
static int find_outside(struct vmsi_range source, uintptr_t *place)
{
	const size_t alignment = congruence_of(vmsi_range_length(source));
	const size_t residue = source.start & (alignment - 1);
	size_t length = vmsi_range_length(source) + alignment;
	long area = vmsi_host.mmap(0, length, PROT_NONE, VMSI_RESERVATION, -1,
				   0);

	if (area < 0)
		return (int)area;
	*place = vmsi_align_down((uintptr_t)area, alignment) + residue;
	if (*place < (uintptr_t)area)
		*place += alignment;
	vmsi_host.munmap((uintptr_t)area, length);
	return 0;
}

/*
 * What has gone outside comes back. Nothing more is charged and nothing more is
 * mapped, so the host has hardly a reason to refuse; where it does all the same
 * (the map-count limit, that another thread has reached meanwhile), shared
 * memory is still where it was, and private memory is copied.
 */
static void put_back(const struct vms_space *space, uintptr_t outside,
		     struct vmsi_range source)
{
	const uint32_t accessible = PROT_READ | PROT_WRITE;
	const struct vmsi_attributes *attributes =
		&vmsi_lookup(space, source.start)->attributes;
	const size_t length = vmsi_range_length(source);

	if (vmsi_host.mremap(outside, length, length,
			     MREMAP_MAYMOVE | MREMAP_FIXED, source.start) >= 0)
		return;
	if (!vmsi_has(attributes, VMSI_SHARED)) {
		if ((attributes->prot & accessible) != accessible)
			vmsi_panic("space: a mapping cannot be put back");
		memcpy((void *)source.start, (const void *)outside, length);
	}
	vmsi_host.munmap(outside, length);
}

/* Move what is one mapping to the host. */
static enum vmsi_transit move_one(const struct vms_space *space,
				  struct vmsi_range source,
				  struct vmsi_range target, int *error)
{
	const size_t length = vmsi_range_length(source);
	uintptr_t place = 0;
	long outside, result;

	if (find_outside(source, &place) != 0)
		return VMSI_TRANSIT_NO_PLACE;
	/* Without MREMAP_FIXED the place is a wish, and nothing is unmapped. */
	outside = vmsi_host.mremap(source.start, length, length,
				   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, place);
	if (outside < 0) {
		*error = (int)outside;
		return VMSI_TRANSIT_NOT_KEPT;
	}
	result = vmsi_host.mremap((uintptr_t)outside, length,
				  vmsi_range_length(target),
				  MREMAP_MAYMOVE | MREMAP_FIXED,
				  target.start);
	if (result >= 0)
		return VMSI_TRANSIT_DONE;
	*error = (int)result;
	put_back(space, (uintptr_t)outside, source);
	return VMSI_TRANSIT_REFUSED;
}

/* Where the last of the host's mappings in a range begins. */
static bool find_last(struct vmsi_range range, uintptr_t *last)
{
	uintptr_t end;

	*last = range.start;
	while (vmsi_host_mapping_end(*last, &end)) {
		if (end >= range.end)
			return true;
		*last = end;
	}
	return false;
}

/*
 * Where the host has several mappings, all but the last move straight to the
 * target, and the last grows on its way.
 */
static enum vmsi_transit move_several(struct vms_space *space,
				      struct vmsi_range source,
				      struct vmsi_range target, int *error)
{
	struct vmsi_range first = source, last = source, rest = target;
	enum vmsi_transit answer;
	long result;

	if (!find_last(source, &last.start) ||
	    vmsi_host_at_map_limit(space->limit_probe))
		return VMSI_TRANSIT_NO_PLACE;
	first.end = last.start;
	result = vmsi_move_in_parts(space, first, target.start,
				    MREMAP_DONTUNMAP);
	if (result < 0) {
		*error = (int)result;
		return vmsi_mend_for_retry(space, target) ?
			VMSI_TRANSIT_NOT_KEPT : VMSI_TRANSIT_REFUSED;
	}
	rest.start += vmsi_range_length(first);
	answer = move_one(space, last, rest, error);
	if (answer != VMSI_TRANSIT_DONE &&
	    vmsi_move_in_parts(space,
			       (struct vmsi_range){ target.start, rest.start },
			       source.start, 0) < 0)
		vmsi_panic("space: a mapping cannot be put together again");
	if (answer != VMSI_TRANSIT_DONE && answer != VMSI_TRANSIT_REFUSED &&
	    !vmsi_mend_for_retry(space, target))
		return VMSI_TRANSIT_REFUSED;
	return answer;
}

enum vmsi_transit vmsi_move_by_transit(struct vms_space *space,
				       struct vmsi_range source,
				       struct vmsi_range target, int *error)
{
	*error = -ENOMEM;
	if (vmsi_host_is_several(source))
		return move_several(space, source, target, error);
	return move_one(space, source, target, error);
}
