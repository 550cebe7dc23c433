/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/memlock.h"
#include "space/remap.h"
#include "space/remap_rules.h"
#include "space/space.h"
#include "space/walk.h"

/* Whether vms_mremap refuses a call, in the order in which Linux looks. */

int vmsi_remap_check(struct remap_request *request)
{
	struct vmsi_range target = { request->new_address, 0 };
	int error = vmsi_remap_rules(request->old, &request->old_length,
				     &request->new_length, request->flags,
				     request->new_address);

	if (error || !vmsi_remap_is_fixed(request))
		return error;
	target.end = target.start + request->new_length;
	if (vmsi_inside(request->space, target))
		return 0;
	return target.start == 0 ? -EPERM : -EINVAL;
}

static int align_to_huge_pages(struct remap_request *request)
{
	const size_t page_size = (size_t)1
		<< request->mapping->attributes.page_shift;

	if (page_size == vmsi_page_size())
		return 0;
	request->old_length = vmsi_align_up(request->old_length, page_size);
	request->new_length = vmsi_align_up(request->new_length, page_size);
	if (!vmsi_is_aligned(request->old, page_size) ||
	    ((request->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) &&
	     !vmsi_is_aligned(request->new_address, page_size)) ||
	    request->new_length > request->old_length)
		return -EINVAL;
	return 0;
}

int vmsi_remap_find(struct remap_request *request)
{
	request->mapping = vmsi_lookup(request->space, request->old);
	if (!request->mapping)
		return -EFAULT;
	if (vmsi_has(&request->mapping->attributes, VMSI_SEALED))
		return -EPERM;
	if (vmsi_has(&request->mapping->attributes, VMSI_HUGETLB))
		return align_to_huge_pages(request);
	return 0;
}

enum vmsi_counts vmsi_remap_counts_as(const struct vmsi_mapping *mapping)
{
	return vmsi_is_data(mapping->attributes.prot,
			    mapping->attributes.flags) ?
		VMSI_COUNTS_AS_DATA : VMSI_COUNTS_AS_ADDRESSES;
}

/* What growth in place would map; false: it would wrap, or is none. */
static bool extension_of(const struct remap_request *request,
			 struct vmsi_range *extension)
{
	extension->start = request->mapping->end;
	return !(request->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) &&
		request->old + request->old_length == extension->start &&
		request->new_length > request->old_length &&
		vmsi_add(extension->start,
			 request->new_length - request->old_length,
			 &extension->end);
}

/* Whether the map has room behind the mapping. */
bool vmsi_remap_has_room(const struct remap_request *request,
		     struct vmsi_range *extension)
{
	const struct vmsi_mapping *above = vmsi_map_next(request->mapping);

	return extension_of(request, extension) &&
		vmsi_inside(request->space, *extension) &&
		(!above || above->start >= extension->end);
}

/*
 * Growth of locked memory must fit below the limit of locked memory, of any
 * memory below those of addresses and data: Linux looks at them in this order,
 * and before it looks for room. The map does not know of locks by mlockall, and to
 * ask the host costs a call; where there is room, the host itself finds out when it
 * grows the mapping.
 */
int vmsi_remap_check_growth(struct remap_request *request)
{
	struct vms_space *space = request->space;
	size_t growth = request->new_length - request->old_length;
	struct vmsi_range extension;

	if (vmsi_has(&request->mapping->attributes, VMSI_LOCKED) ||
	    !vmsi_remap_has_room(request, &extension)) {
		bool locked = vmsi_learn_locked(space, request->old);

		request->mapping = vmsi_lookup(space, request->old);
		if (locked && !vmsi_host_may_lock(growth))
			return -EAGAIN;
	}
	return vmsi_check_limits(space, growth, vmsi_remap_counts_as(request->mapping));
}

/*
 * Whether a gap is open for all of a growth, so that the host grows the mapping
 * and looks at its limits.
 */
static bool grows_in_gap(const struct remap_request *request)
{
	struct vmsi_range extension;

	return request->space->gaps.count && vmsi_remap_has_room(request, &extension) &&
		vmsi_gap_stretch(request->space, extension);
}

/* For requests that make a new mapping or a longer one. */
int vmsi_remap_check_mapping(struct remap_request *request)
{
	const struct vmsi_mapping *mapping = request->mapping;
	uint64_t offset, end;

	if (request->old_length == 0 &&
	    !vmsi_has(&mapping->attributes, VMSI_SHARED))
		return -EINVAL;
	/*
	 * A part that is cut off may lie in other mappings; a part that stays
	 * may not.
	 */
	if (vmsi_min(request->old_length, request->new_length) >
	    mapping->end - request->old)
		return -EFAULT;
	if (request->new_length <= request->old_length)
		return 0;
	offset = mapping->offset + (request->old - mapping->start);
	if (__builtin_add_overflow(offset, request->new_length, &end))
		return -EINVAL;
	request->by = grows_in_gap(request) ? VMSI_EXTEND_IN_GAP :
					      VMSI_EXTEND_IN_HOLE;
	return request->by == VMSI_EXTEND_IN_GAP ? 0 : vmsi_remap_check_growth(request);
}
