/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "space/mend.h"
#include "space/move.h"
#include "space/move_parts.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * A mapping that moves and grows shall stay one mapping of the host. Only
 * mremap does that: what is mapped anew behind moved memory has another page
 * offset (vm_pgoff), and the host never merges the two. But mremap does not
 * grow a mapping and keep its source mapped, and any thread could map at the
 * source. So the mapping goes by addresses outside of the space, which any
 * thread may have afterwards:
 *
 *   old:      |####|  --mremap, kept-->  |    |  --reservation-->  hole
 *   outside:           |####|  --mremap, longer-->
 *   new:                                 |####|extension|
 */

/* Modulo what two places shall be congruent, so that whole page tables move. */
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
 * another thread maps there before the move, the host chooses another address.
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
 * Move the memory that is outside back to the source. The host can refuse if
 * another thread has reached the map-count limit meanwhile. Then shared memory
 * is still at the source, since it was kept, and private memory is copied.
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

/* Move and grow a source that is one mapping to the host. */
static enum vmsi_transit move_one(const struct vms_space *space,
				  struct vmsi_range source,
				  struct vmsi_range target, int *error)
{
	const size_t length = vmsi_range_length(source);
	uintptr_t place = 0;
	long outside, result;

	if (find_outside(source, &place) != 0)
		return VMSI_TRANSIT_NO_PLACE;
	/* Without MREMAP_FIXED the place is a hint, and nothing is unmapped. */
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

/* Find where the host's last mapping begins; false: it does not tell. */
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
 * Move and grow a source that is several mappings to the host: all but the last
 * move to the target at once, and the last one by way of outside.
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
	if (answer == VMSI_TRANSIT_DONE)
		return answer;
	vmsi_move_back(space, (struct vmsi_range){ target.start, rest.start },
		       source.start);
	if (answer != VMSI_TRANSIT_REFUSED &&
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
