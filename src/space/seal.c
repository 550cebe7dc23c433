/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_mseal. */

static void seal_piece(struct vmsi_mapping *piece, void *context)
{
	(void)context;
	piece->attributes.flags |= VMSI_SEALED;
}

static int seal(struct vms_space *space, struct vmsi_range range)
{
	int error;

	if (vmsi_run_end(space, range.start, range.end) < range.end)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	error = vmsi_reserve_records(space);
	if (error)
		return error;
	vmsi_learn_touched(space, range, VMSI_LEARN_SPLIT);
	error = (int)vmsi_host.mseal(range.start, vmsi_range_length(range), 0);
	if (!error)
		vmsi_change(space, range, seal_piece, NULL);
	return vmsi_refused_by_host(space, error);
}

int vms_mseal(vms_space *space, void *address, size_t length,
	      unsigned long flags)
{
	uintptr_t start = (uintptr_t)address;
	struct vmsi_range range;
	long known;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	/* With a length of 0 the host says only whether it has mseal. */
	known = vmsi_host.mseal(space->range.start, 0, flags);
	if (known < 0)
		error = (int)known;
	else if (!vmsi_is_aligned(start, vmsi_page_size()) ||
		 !vmsi_page_range(start, length, &range))
		error = -EINVAL;
	else if (range.start < range.end)
		error = seal(space, range);
	vmsi_leave(space);
	return vmsi_status(error);
}
