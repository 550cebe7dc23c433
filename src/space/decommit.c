/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/mend.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_decommit. */

static int check(struct vms_space *space, struct vmsi_range range)
{
	const uint32_t refused = VMSI_LOCKED | VMSI_HUGETLB | VMSI_DROPPABLE;

	if (vmsi_run_end(space, range.start, range.end) < range.end)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	vmsi_for_each(space, mapping, range) {
		const struct vmsi_attributes *attributes = &mapping->attributes;

		if (vmsi_has(attributes, VMSI_SEALED))
			return -EPERM;
		if (attributes->object || (attributes->flags & refused))
			return -EINVAL;
	}
	return 0;
}

static void uncharge_piece(struct vmsi_mapping *piece, void *context)
{
	struct vms_space *space = context;
	struct vmsi_attributes *attributes = &piece->attributes;

	if (vmsi_has(attributes, VMSI_ACCOUNTED))
		vmsi_ledger_uncharge(&space->ledger, vmsi_range_length(
			vmsi_mapping_range(piece)));
	/* The host has new memory there, without advice or name. */
	attributes->flags = VMSI_ANONYMOUS;
	attributes->prot = PROT_NONE;
}

/*
 * MADV_DONTNEED and mprotect would leave the host's charge as it is. New memory
 * in the place of the old gives it back.
 */
static int uncharge(struct vms_space *space, struct vmsi_range range)
{
	long error = vmsi_reserve_to_give_back(space);

	if (error)
		return (int)error;
	vmsi_learn_touched(space, range, VMSI_LEARN_SPLIT);
	error = vmsi_host.mmap(range.start, vmsi_range_length(range), PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (error < 0) {
		vmsi_mend(space, range);
		return vmsi_refused_by_host(space, error);
	}
	vmsi_change(space, range, uncharge_piece, space);
	return 0;
}

static int keep_charge(struct vms_space *space, struct vmsi_range range)
{
	vmsi_learn_touched(space, range, VMSI_LEARN_ALL);
	return vmsi_refused_by_host(
		space, vmsi_host.madvise(range.start, vmsi_range_length(range),
					 MADV_DONTNEED));
}

int vms_decommit(vms_space *space, void *address, size_t length,
		 unsigned flags)
{
	uintptr_t start = (uintptr_t)address;
	struct vmsi_range range;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	if (length == 0 || (flags & ~VMS_DECOMMIT_UNCHARGE) ||
	    !vmsi_is_aligned(start, vmsi_page_size()) ||
	    !vmsi_page_range(start, length, &range))
		error = -EINVAL;
	else
		error = check(space, range);
	if (!error)
		error = flags & VMS_DECOMMIT_UNCHARGE ?
			uncharge(space, range) : keep_charge(space, range);
	vmsi_leave(space);
	return vmsi_status(error);
}
