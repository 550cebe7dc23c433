/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_msync and vms_mincore. */

/* As on Linux, a hole is an error only after all that is mapped was synced. */
static int sync_runs(struct vms_space *space, struct vmsi_range range,
		     int flags)
{
	uintptr_t at = range.start;
	bool hole = false;

	while (at < range.end) {
		struct vmsi_range run;
		bool found = vmsi_next_run(space, at, range.end, &run);
		long error;

		hole = hole || !found || run.start > at;
		if (!found)
			break;
		error = vmsi_host.msync(run.start, vmsi_range_length(run),
					flags);
		if (error < 0)
			return (int)error;
		at = run.end;
	}
	return hole ? vmsi_refuse(VMS_REFUSAL_UNMAPPED) : 0;
}

int vms_msync(vms_space *space, void *address, size_t length, int flags)
{
	uintptr_t start = (uintptr_t)address;
	struct vmsi_range range;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	/* With a length of 0 the host looks at the flags only. */
	error = (int)vmsi_host.msync(space->range.start, 0, flags);
	if (!error && !vmsi_is_aligned(start, vmsi_page_size()))
		error = -EINVAL;
	range.start = start;
	/* As in Linux, a length that wraps when rounded up becomes 0. */
	if (!error && !vmsi_add(start, vmsi_align_up(length, vmsi_page_size()),
				&range.end))
		error = vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	else if (!error)
		error = sync_runs(space, range, flags);
	vmsi_leave(space);
	return vmsi_status(error);
}

/* Whether all of a vector lies at addresses that a program can have. */
static bool is_program_memory(const unsigned char *vector, size_t length)
{
	uintptr_t end;

	return vmsi_add((uintptr_t)vector, length, &end) &&
		end <= vmsi_address_limit();
}

int vms_mincore(vms_space *space, void *address, size_t length,
		unsigned char *vector)
{
	uintptr_t start = (uintptr_t)address;
	struct vmsi_range range;
	uintptr_t end;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	/* Linux looks at the ends of the range and of the vector first. */
	if (!vmsi_is_aligned(start, vmsi_page_size())) {
		error = -EINVAL;
	} else if (!vmsi_page_range(start, length, &range) ||
		   !vmsi_inside(space, range)) {
		error = vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	} else if (!is_program_memory(vector, vmsi_range_length(range) /
					      vmsi_page_size())) {
		error = -EFAULT;
	} else if (length > 0) {
		end = vmsi_run_end(space, range.start, range.end);
		if (end > range.start)
			error = (int)vmsi_host.mincore(
				range.start, end - range.start, vector);
		if (!error && end < range.end)
			error = vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	}
	vmsi_leave(space);
	return vmsi_status(error);
}
