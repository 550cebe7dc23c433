/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/handle.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/handle_table.h"
#include "space/inside.h"
#include "space/remap.h"
#include "space/space.h"
#include "space/walk.h"

/* The public calls of handles. */

int vms_handle_open(vms_space *space, void *address, size_t length,
		    vms_handle *handle)
{
	struct vmsi_range range;
	int error;

	if (!handle || length == 0 ||
	    !vmsi_is_aligned((uintptr_t)address, vmsi_page_size()) ||
	    !vmsi_page_range((uintptr_t)address, length, &range))
		return vmsi_status(-EINVAL);
	error = vmsi_enter(space);
	if (error)
		return vmsi_status(error);
	error = vmsi_run_end(space, range.start, range.end) < range.end ?
		-EFAULT : vmsi_handle_make(space, range, handle);
	vmsi_leave(space);
	return vmsi_status(error);
}

void *vms_handle_address(vms_space *space, vms_handle handle)
{
	uintptr_t address;
	size_t length;

	return vmsi_handle_find(space, handle, &address, &length) ?
		(void *)address : NULL;
}

size_t vms_handle_length(vms_space *space, vms_handle handle)
{
	uintptr_t address;
	size_t length;

	return vmsi_handle_find(space, handle, &address, &length) ? length : 0;
}

void *vms_handle_at(vms_space *space, vms_handle handle, size_t offset,
		    size_t length)
{
	uintptr_t address;
	size_t whole;

	if (!vmsi_handle_find(space, handle, &address, &whole))
		return NULL;
	if (offset > whole || length > whole - offset) {
		errno = ERANGE;
		return NULL;
	}
	return (void *)(address + offset);
}

int vms_handle_resize(vms_space *space, vms_handle handle, size_t length)
{
	uintptr_t address;
	size_t old_length;
	struct vmsi_attempts attempts = { 0 };
	long result;

	do {
		result = vmsi_enter(space);
		if (result)
			return vmsi_status((int)result);
		if (!vmsi_handle_find(space, handle, &address, &old_length))
			result = -ESTALE;
		else
			result = vmsi_remap(space, address, old_length, length,
					    MREMAP_MAYMOVE, 0);
		vmsi_leave(space);
	} while (vmsi_try_again(space, result, &attempts));
	return result < 0 && result >= -4095 ? vmsi_status((int)result) : 0;
}

int vms_handle_close(vms_space *space, vms_handle handle)
{
	uintptr_t address;
	size_t length;
	struct vmsi_entry *entry;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	entry = vmsi_handle_find(space, handle, &address, &length);
	if (entry)
		vmsi_handle_drop(space, entry,
				 (struct vmsi_range){ address,
						      address + length });
	else
		error = -ESTALE;
	vmsi_leave(space);
	return vmsi_status(error);
}
