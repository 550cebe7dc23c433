/* SPDX-License-Identifier: MIT */
#include "share/open.h"

#include <errno.h>
#include <string.h>

#include "base/align.h"
#include "base/versioned.h"
#include "host/file.h"
#include "host/host.h"
#include "share/fork.h"
#include "share/map.h"
#include "share/share.h"
#include "space/inside.h"

int vmsi_share_options(struct vms_share_options *known,
		       const struct vms_share_options *options, unsigned flags)
{
	const size_t page = vmsi_page_size();
	int error;

	*known = (struct vms_share_options){ .struct_size = sizeof(*known) };
	if (!options)
		return 0;
	error = vmsi_take_options(known, sizeof(*known), VMSI_FIRST_SHARE_OPTIONS,
				  options);
	if (error)
		return error;
	/* The page before the bytes is the head's. */
	if ((known->flags & ~flags) ||
	    !vmsi_is_aligned((uintptr_t)known->address, page) ||
	    (known->address && (uintptr_t)known->address <= page))
		return -EINVAL;
	return 0;
}

struct vms_share *vmsi_share_record(unsigned flags)
{
	struct vms_share *share = vmsi_records_get(NULL, vmsi_page_size());

	if (!share)
		return NULL;
	vmsi_lock_init(&share->lock, VMSI_RANK_SHARE);
	share->fd = share->child_fd = -1;
	share->flags = flags;
	vmsi_share_register(share);
	return share;
}

void vmsi_share_set_complete(struct vms_share *share, bool is_complete)
{
	vmsi_lock_acquire(&share->lock);
	share->is_complete = is_complete;
	vmsi_lock_release(&share->lock);
}

void vmsi_share_drop_record(struct vms_share *share)
{
	vmsi_lock_acquire(&share->lock);
	if (share->fd >= 0)
		(void)vmsi_host.close(share->fd);
	share->fd = -1;
	vmsi_lock_release(&share->lock);
	vmsi_share_unregister(share);
	vmsi_records_put(NULL, share, vmsi_page_size());
}

/* The choice that is in force is in brackets. */
int vmsi_share_check_huge(void)
{
	char choices[128];
	const size_t length = vmsi_host_read_start(
		"/sys/kernel/mm/transparent_hugepage/shmem_enabled", choices,
		sizeof(choices) - 1);

	choices[length] = '\0';
	return length == 0 || strstr(choices, "[never]") ||
		strstr(choices, "[deny]") ? -ENOTSUP : 0;
}

int vms_share_close(vms_share *share)
{
	int error;

	if (!share)
		return 0;
	vmsi_share_set_complete(share, false);
	error = vmsi_share_unmap(share);
	if (error) {
		vmsi_share_set_complete(share, true);
		return vmsi_status(error);
	}
	vmsi_share_drop_record(share);
	return 0;
}
