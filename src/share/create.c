/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/align.h"
#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"
#include "share/grow.h"
#include "share/map.h"
#include "share/named.h"
#include "share/open.h"
#include "share/share.h"
#include "share/uses.h"
#include "space/inside.h"

#define MODE_BITS 0777u

/* Making a share. */

struct request {
	const char *path;
	uint64_t size, maximum;
	struct vms_share_options options;
	struct vmsi_named named;
};

static int take_request(struct request *request,
			const struct vms_share_options *options)
{
	const struct vms_share_options *known = &request->options;
	size_t rounded;
	int error = vmsi_share_options(&request->options, options,
				       VMS_SHARE_SAME_ADDRESS |
				       VMS_SHARE_HUGE_PAGES);

	if (error)
		return error;
	if (request->maximum == 0 || request->size > request->maximum ||
	    !vmsi_align_up_checked(request->maximum, vmsi_page_size(), &rounded) ||
	    known->largest || (known->mode & ~MODE_BITS) ||
	    (request->path ? (known->flags & VMS_SHARE_HUGE_PAGES) :
			     known->mode))
		return -EINVAL;
	request->maximum = rounded;
	return known->flags & VMS_SHARE_HUGE_PAGES ? vmsi_share_check_huge() : 0;
}

static int make_file(struct vms_share *share, struct request *request)
{
	const unsigned mode = request->options.mode ? request->options.mode : 0600;
	long fd;

	vmsi_lock_acquire(&share->lock);
	fd = request->path ?
		vmsi_named_make(&request->named, request->path, mode) :
		vmsi_disk_make_memory("vmspace share", MFD_NOEXEC_SEAL);
	share->fd = fd < 0 ? -1 : (int)fd;
	vmsi_lock_release(&share->lock);
	return fd < 0 ? (int)fd : 0;
}

/*
 * The file is as long as it will ever be. Nobody can change that any more where it can
 * be sealed, so that no page that is mapped is ever behind its end.
 */
static int give_length(struct vms_share *share, const struct request *request)
{
	uint64_t length;
	int error;

	if (__builtin_add_overflow(request->maximum, vmsi_share_head_bytes(),
				   &length) || length > INT64_MAX)
		return -EFBIG;
	error = vmsi_disk_truncate(share->fd, length);
	if (!error)
		error = vmsi_share_take_space(share->fd, 0,
					      vmsi_share_head_bytes());
	if (error || request->path)
		return error;
	share->is_sealed = true;
	return (int)vmsi_host.add_seals(share->fd, F_SEAL_SHRINK | F_SEAL_GROW);
}

static int write_head(struct vms_share *share)
{
	struct vmsi_share_head head = {
		.version = VMSI_SHARE_VERSION,
		.page = (uint32_t)vmsi_page_size(),
		.maximum = share->maximum,
		.address = share->flags & VMS_SHARE_SAME_ADDRESS ?
			(uintptr_t)share->base : 0,
	};

	return vmsi_disk_write(share->fd, &head, sizeof(head), 0);
}

/* This comes last, for who attaches too early. */
static int write_magic(struct vms_share *share)
{
	const uint64_t magic = VMSI_SHARE_MAGIC;

	return vmsi_disk_write(share->fd, &magic, sizeof(magic), 0);
}

static int fill(struct vms_share *share, struct request *request)
{
	int error = make_file(share, request);

	if (!error)
		error = give_length(share, request);
	if (error)
		return error;
	share->maximum = request->maximum;
	atomic_store(&share->used, share->maximum);
	error = vmsi_uses_take(share->fd, 0, share->maximum);
	if (!error)
		error = vmsi_share_map(share,
				       (uintptr_t)request->options.address);
	if (error)
		return error;
	error = write_head(share);
	if (!error)
		error = vmsi_share_grow_to(share, request->size);
	if (!error)
		error = write_magic(share);
	if (!error && request->path)
		error = vmsi_named_publish(&request->named, share->fd);
	if (error)
		(void)vmsi_share_unmap(share);
	return error;
}

static int create(struct request *request, struct vms_share **result)
{
	struct vms_share *share = vmsi_share_record(request->options.flags);
	int error;

	if (!share)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	error = fill(share, request);
	if (!error) {
		vmsi_share_set_complete(share, true);
		*result = share;
		return 0;
	}
	vmsi_named_drop(&request->named);
	vmsi_share_drop_record(share);
	return error;
}

vms_share *vms_share_create(const char *path, uint64_t size, uint64_t maximum,
			    const struct vms_share_options *options)
{
	struct request request = { .path = path, .size = size,
				   .maximum = maximum };
	struct vms_share *share = NULL;
	int error = take_request(&request, options);

	if (!error)
		error = create(&request, &share);
	if (error)
		(void)vmsi_status(error);
	else if (path)
		vmsi_space_tell(share->space, VMSI_SIGN_SHARE, path);
	return share;
}
