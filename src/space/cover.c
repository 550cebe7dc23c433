/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/space.h"

/*
 * The reservation is PROT_NONE memory of the host at all addresses that are in
 * no mapping, so that no other part of the process can map there.
 */

/*
 * Under mlockall(MCL_FUTURE) the host counts every new mapping as locked, and
 * refuses one where that passes the limit. A copy of a hole that the host makes
 * by mremap is no new mapping to it.
 */
static int copy_hole_over(const struct vms_space *space,
			  struct vmsi_range range)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	struct vmsi_range hole = vmsi_map_largest_gap(&space->map);

	if (hole.start == hole.end)
		return -EAGAIN;
	while (range.start < range.end) {
		size_t length = vmsi_min(vmsi_range_length(range),
					 vmsi_range_length(hole));
		/* An open gap has no memory; it is at the hole's start. */
		long result = vmsi_host.mremap(hole.end - length, length,
					       length, flags, range.start);

		if (result < 0)
			return -EAGAIN;
		range.start += length;
	}
	return 0;
}

int vmsi_cover(const struct vms_space *space, struct vmsi_range range,
	       enum vmsi_warmth warmth)
{
	/*
	 * Without MAP_NORESERVE the host does not merge the hole with the
	 * reservation around it, and need not split it off the next time. It
	 * charges PROT_NONE memory in neither case.
	 */
	int flags = warmth == VMSI_COLD ? VMSI_RESERVATION :
					  MAP_PRIVATE | MAP_ANONYMOUS;
	long result = vmsi_host.mmap(range.start, vmsi_range_length(range),
				     PROT_NONE, flags | MAP_FIXED, -1, 0);

	if (result == -EAGAIN)
		return copy_hole_over(space, range);
	return result < 0 ? (int)result : 0;
}

static long cover_if_free(struct vmsi_range range)
{
	return vmsi_host.mmap(range.start, vmsi_range_length(range), PROT_NONE,
			      VMSI_RESERVATION | MAP_FIXED_NOREPLACE, -1, 0);
}

void vmsi_cover_parts(struct vms_space *space, struct vmsi_range range,
		      const struct vmsi_cover_visit *visit)
{
	size_t length = vmsi_range_length(range);
	uintptr_t middle;
	long result = cover_if_free(range);

	/* The host may have refused for a moment only. */
	if (result < 0 && result != -EEXIST)
		result = cover_if_free(range);
	if (result >= 0) {
		visit->covered(space, range);
		return;
	}
	if (result != -EEXIST) {
		visit->refused(space, range);
		return;
	}
	if (length == vmsi_page_size() || vmsi_host_is_mapped(range) == 1) {
		visit->taken(space, range);
		return;
	}
	middle = vmsi_align_down(range.start + length / 2, vmsi_page_size());
	vmsi_cover_parts(space, (struct vmsi_range){ range.start, middle },
			 visit);
	vmsi_cover_parts(space, (struct vmsi_range){ middle, range.end },
			 visit);
}
