/* SPDX-License-Identifier: MIT */
#include "space/state.h"

/* vms_mlock, vms_mlock2, vms_munlock. */

struct lock_request {
	enum { LOCK, UNLOCK } kind;
	unsigned flags;
};

static long host_lock(struct vmsi_range range, void *context)
{
	const struct lock_request *request = context;
	size_t length = vmsi_range_length(range);

	return request->kind == LOCK ?
		vmsi_host.mlock2(range.start, length, request->flags) :
		vmsi_host.munlock(range.start, length);
}

static void change_lock(struct vmsi_mapping *piece, void *context)
{
	const struct lock_request *request = context;
	uint32_t *flags = &piece->attributes.flags;

	*flags &= ~((uint32_t)VMSI_LOCKED | (uint32_t)VMSI_LOCK_ON_FAULT);
	if (request->kind == LOCK)
		*flags |= (uint32_t)VMSI_LOCKED;
	if (request->flags & MLOCK_ONFAULT)
		*flags |= (uint32_t)VMSI_LOCK_ON_FAULT;
}

/*
 * Lock what is before the first hole. EAGAIN and EFAULT tell of pages that
 * could not be brought in: the mappings are locked all the same.
 */
static int change_run(struct vms_space *space, struct vmsi_range range,
		      struct lock_request *request)
{
	struct vmsi_range run = {
		range.start, vmsi_run_end(space, range.start, range.end)
	};
	struct vmsi_range_call call = { host_lock, request };
	uintptr_t done;
	int error = vmsi_reserve_records(space);

	if (error)
		return error;
	if (run.end > run.start) {
		error = vmsi_call_run(space, run, call, &done);
		if (error == -EAGAIN || error == -EFAULT)
			done = run.end;
		if (done > run.start)
			vmsi_change(space,
				    (struct vmsi_range){ run.start, done },
				    change_lock, request);
		if (request->kind == LOCK)
			space->has_locked = true;
	}
	if (!error && run.end < range.end)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	return vmsi_refused_by_host(space, error);
}

/* The range that Linux makes of an address that need not be on a page. */
static bool lock_range(uintptr_t address, size_t length,
		       struct vmsi_range *range)
{
	const size_t page_size = vmsi_page_size();
	uintptr_t start = vmsi_align_down(address, page_size);

	/* As in the kernel, a length that wraps when rounded up becomes 0. */
	length = vmsi_align_up(length + (address - start), page_size);
	range->start = start;
	return vmsi_add(start, length, &range->end);
}

static int change_lock_of(vms_space *space, const void *address, size_t length,
			  struct lock_request request)
{
	struct vmsi_range range;
	long known;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	/* Flags and rights, told for no memory at all. */
	known = host_lock((struct vmsi_range){ space->range.start,
					       space->range.start }, &request);
	if (known < 0)
		error = (int)known;
	else if (!lock_range((uintptr_t)address, length, &range))
		error = -EINVAL;
	else if (range.start < range.end)
		error = change_run(space, range, &request);
	vmsi_leave(space);
	return vmsi_status(error);
}

int vms_mlock(vms_space *space, const void *address, size_t length)
{
	return vms_mlock2(space, address, length, 0);
}

int vms_mlock2(vms_space *space, const void *address, size_t length,
	       unsigned flags)
{
	struct lock_request request = { LOCK, flags };

	return change_lock_of(space, address, length, request);
}

int vms_munlock(vms_space *space, const void *address, size_t length)
{
	struct lock_request request = { UNLOCK, 0 };

	return change_lock_of(space, address, length, request);
}
