/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/process.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/hostview.h"
#include "space/space.h"

int vmsi_host_view(uintptr_t address, struct vms_mapping_info *info)
{
	vms_process_maps *maps = vms_process_maps_open(0);
	int found, error;

	if (!maps)
		return -errno;
	info->struct_size = sizeof(*info);
	do
		found = vms_process_maps_next(maps, info);
	while (found > 0 && info->start + info->length <= address);
	error = found < 0 ? -errno : 0;
	vms_process_maps_close(maps);
	return found == 0 ? -EFAULT : error;
}

bool vmsi_stack_means_small_pages(void)
{
	enum { UNKNOWN, YES, NO };
	static _Atomic int cached = UNKNOWN;
	const int saved_errno = errno;
	struct vms_mapping_info info = { .flags = 0 };
	bool small = false;
	long page;

	if (atomic_load(&cached) != UNKNOWN)
		return atomic_load(&cached) == YES;
	page = vmsi_host.mmap(0, vmsi_page_size(), PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (page < 0)
		return false;
	if (vmsi_host_view((uintptr_t)page, &info) == 0 &&
	    info.start <= (uintptr_t)page) {
		small = info.flags & VMS_MAPPING_NOHUGEPAGE;
		atomic_store(&cached, small ? YES : NO);
	}
	vmsi_host.munmap((uintptr_t)page, vmsi_page_size());
	errno = saved_errno;
	return small;
}
