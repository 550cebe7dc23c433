/* SPDX-License-Identifier: MIT */
#include "share/map.h"

#include <errno.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>

#include "base/align.h"
#include "host/host.h"
#include "share/share.h"
#include "space/inside.h"

size_t vmsi_share_head_bytes(void)
{
	return vmsi_page_size();
}

static int map_file(struct vms_share *share, size_t bytes)
{
	const int prot = vmsi_share_reads(share) ? PROT_READ :
						   PROT_READ | PROT_WRITE;
	void *start = vms_space_base(share->space);

	if (vms_mmap(share->space, start, bytes, prot, MAP_SHARED | MAP_FIXED,
		     share->fd, 0) == MAP_FAILED)
		return -errno;
	if ((share->flags & VMS_SHARE_HUGE_PAGES) &&
	    vms_madvise(share->space, start, bytes, MADV_HUGEPAGE) != 0)
		return -ENOTSUP;
	share->head = start;
	share->base = (char *)start + vmsi_share_head_bytes();
	return 0;
}

int vmsi_share_map(struct vms_share *share, uintptr_t address)
{
	const size_t head = vmsi_share_head_bytes();
	struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "share",
		.flags = VMS_SPACE_FILES_UNCHARGED,
	};
	size_t bytes;
	int error;

	if (!vmsi_add(share->maximum, head, &bytes))
		return -ENOMEM;
	if (address)
		options.address = (void *)(address - head);
	share->space = vms_space_open(bytes, &options);
	if (!share->space)
		return -errno;
	vmsi_space_tell(share->space, VMSI_SIGN_SHARE, NULL);
	error = map_file(share, bytes);
	if (error)
		(void)vms_space_close(share->space);
	return error;
}

int vmsi_share_unmap(struct vms_share *share)
{
	return vms_space_close(share->space) == 0 ? 0 : -errno;
}
