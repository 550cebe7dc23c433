/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/inside.h"
#include "space/map_request.h"
#include "space/reservation.h"
#include "space/space.h"

/* vms_mmap: where a mapping goes. */

static int place_fixed(struct map_request *request)
{
	struct vmsi_range target = { request->address, 0 };
	bool aligned = vmsi_is_aligned(request->address, request->page_size);

	/* Linux answers EPERM below vm.mmap_min_addr. */
	if (request->address == 0)
		return -EPERM;
	/* For huge pages, Linux looks at the alignment before the end. */
	if (request->page_size > vmsi_page_size() &&
	    request->length <= vmsi_address_limit() && !aligned)
		return -EINVAL;
	if (!vmsi_add(request->address, request->length, &target.end) ||
	    target.end > vmsi_address_limit())
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	if (!aligned)
		return -EINVAL;
	if (!vmsi_inside(request->space, target))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	if (request->flags & MAP_FIXED_NOREPLACE) {
		if (!vmsi_map_is_free(&request->space->map, target))
			return -EEXIST;
		/* MAP_SHARED_VALIDATE refuses what no file supports: this. */
		if ((request->flags & MAP_TYPE) == MAP_SHARED_VALIDATE &&
		    !(request->flags & MAP_ANONYMOUS))
			return request->length > INT64_MAX - request->offset ?
				-EOVERFLOW : -EOPNOTSUPP;
	}
	request->target = target;
	return 0;
}

/* Place the mapping where its hint says; false: that is not free. */
static bool place_hinted(struct map_request *request)
{
	struct vmsi_range target;

	target.start = vmsi_align_down(request->address, request->page_size);
	if (target.start != 0 &&
	    request->page_size > vmsi_page_size())
		target.start = vmsi_align_up(
			vmsi_align_down(request->address, vmsi_page_size()),
			request->page_size);
	if (target.start == 0 ||
	    !vmsi_add(target.start, request->length, &target.end) ||
	    !vmsi_inside(request->space, target))
		return false;
	vmsi_gaps_close(request->space, target);
	if (!vmsi_map_is_free(&request->space->map, target))
		return false;
	/* Linux takes no hint that lies in a guard gap. */
	if (vmsi_is_in_guard(request->space, target))
		return false;
	request->target = target;
	request->target_is_free = true;
	return true;
}

/*
 * A mapping as long as a huge page gets an address that is congruent to its
 * offset in the file, so that the host can use huge pages.
 */
static int place_anywhere(struct map_request *request)
{
	const size_t huge = vmsi_huge_page_size();
	struct vmsi_place_request place = {
		.length = request->length,
		.alignment = request->page_size,
		.growth = VMSI_STAYS,
	};
	int error = -ENOMEM;

	if (request->length >= huge && request->page_size < huge) {
		place.alignment = huge;
		if (!(request->flags & MAP_ANONYMOUS))
			place.residue = request->offset & (huge - 1);
	}
	if (place.residue == 0 &&
	    vmsi_warm_take(request->space, request->length, place.alignment,
			   &request->target.start)) {
		request->target_is_warm = true;
		error = 0;
	}
	if (error)
		error = vmsi_place(request->space, &place,
				   &request->target.start);
	if (error && place.alignment > request->page_size) {
		place.alignment = request->page_size;
		place.residue = 0;
		error = vmsi_place(request->space, &place,
				   &request->target.start);
	}
	if (error)
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	request->target.end = request->target.start + request->length;
	request->target_is_free = true;
	if ((request->flags & MAP_32BIT) &&
	    request->target.end > (uintptr_t)1 << 31)
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	return 0;
}

int vmsi_map_request_place(struct map_request *request)
{
	int error;

	if (vmsi_map_request_is_fixed(request))
		error = place_fixed(request);
	else if (place_hinted(request))
		error = 0;
	else
		error = place_anywhere(request);
	if (!error)
		error = vmsi_claim(request->space, request->target);
	return error ? vmsi_map_request_refuse(request, error) : 0;
}
