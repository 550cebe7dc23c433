/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/memlock.h"
#include "space/remap.h"
#include "space/remap_rules.h"
#include "space/space.h"
#include "space/walk.h"

/* The checks of vms_mremap, in Linux's order. */

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

/* Set *extension to what growth in place would map; false: no growth. */
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

bool vmsi_remap_fits_behind(const struct remap_request *request,
			    struct vmsi_range *extension)
{
	const struct vmsi_mapping *above = vmsi_map_next(request->mapping);

	return extension_of(request, extension) &&
		vmsi_inside(request->space, *extension) &&
		(!above || above->start >= extension->end);
}

/*
 * Linux looks at RLIMIT_MEMLOCK, RLIMIT_AS and RLIMIT_DATA in this order,
 * before it looks for addresses. The map does not know of locks by mlockall,
 * and to ask the host costs a call. So it is asked only if the map has a lock,
 * or if the mapping must move; when it grows in place the host itself finds
 * out.
 */
int vmsi_remap_check_growth(struct remap_request *request)
{
	struct vms_space *space = request->space;
	size_t growth = request->new_length - request->old_length;
	struct vmsi_range extension;

	if (vmsi_has(&request->mapping->attributes, VMSI_LOCKED) ||
	    !vmsi_remap_fits_behind(request, &extension)) {
		bool locked = vmsi_learn_locked(space, request->old);

		request->mapping = vmsi_lookup(space, request->old);
		if (locked && !vmsi_host_may_lock(growth))
			return -EAGAIN;
	}
	return vmsi_check_limits(space, growth, vmsi_remap_counts_as(request->mapping));
}

/*
 * Open the gap behind the mapping for all of its growth, if there is one. Then
 * the host grows the mapping and looks at its limits itself.
 */
static bool stretch_gap(const struct remap_request *request)
{
	struct vmsi_range extension;

	return request->space->gaps.count &&
		vmsi_remap_fits_behind(request, &extension) &&
		vmsi_gap_stretch(request->space, extension);
}

int vmsi_remap_check_mapping(struct remap_request *request)
{
	const struct vmsi_mapping *mapping = request->mapping;
	uint64_t offset, end;

	if (request->old_length == 0 &&
	    !vmsi_has(&mapping->attributes, VMSI_SHARED))
		return -EINVAL;
	/* What stays must lie in one mapping; what is cut off need not. */
	if (vmsi_min(request->old_length, request->new_length) >
	    mapping->end - request->old)
		return -EFAULT;
	if (request->new_length <= request->old_length)
		return 0;
	offset = mapping->offset + (request->old - mapping->start);
	if (__builtin_add_overflow(offset, request->new_length, &end))
		return -EINVAL;
	request->by = stretch_gap(request) ? VMSI_EXTEND_IN_GAP :
					      VMSI_EXTEND_IN_HOLE;
	return request->by == VMSI_EXTEND_IN_GAP ? 0 : vmsi_remap_check_growth(request);
}
