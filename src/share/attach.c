/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/align.h"
#include "host/disk.h"
#include "host/host.h"
#include "share/map.h"
#include "share/open.h"
#include "share/share.h"
#include "share/uses.h"
#include "space/inside.h"

/* Attaching to a share that somebody else has made. Nothing in it is believed. */

/* To open anything but a file may wait for somebody, or do something to a device. */
static int check_kind(int fd, uint64_t *length)
{
	struct stat status;
	const int error = (int)vmsi_host.fstat(fd, &status);

	if (error)
		return error;
	if (!S_ISREG(status.st_mode))
		return -EBADMSG;
	if (length)
		*length = (uint64_t)status.st_size;
	return 0;
}

/*
 * A description of this process's own: its locks are told apart from those of who has
 * sent the descriptor.
 */
static int open_own(struct vms_share *share, int fd)
{
	const long flags = vmsi_host.file_flags(fd);
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	int error;
	long own;

	if (flags < 0)
		return (int)flags;
	if (flags & O_PATH)
		return -EBADF;
	if (!vmsi_share_reads(share) && (flags & O_ACCMODE) != O_RDWR)
		return -EACCES;
	error = check_kind(fd, NULL);
	if (error)
		return error;
	vmsi_descriptor_link(link, fd);
	vmsi_lock_acquire(&share->lock);
	own = vmsi_share_reads(share) ? vmsi_host.open(link) : vmsi_host.reopen(fd);
	share->fd = own < 0 ? -1 : (int)own;
	vmsi_lock_release(&share->lock);
	return own < 0 ? (int)own : 0;
}

/* A file in memory that nobody can make shorter. */
static bool has_seals(const struct vms_share *share)
{
	const long seals = vmsi_host.seals(share->fd);

	return seals >= 0 && (seals & F_SEAL_SHRINK);
}

/* What is read once, and believed after that as far as it is checked here. */
static int check_head(struct vms_share *share, const struct vmsi_share_head *head,
		      uint64_t length)
{
	if (head->magic != VMSI_SHARE_MAGIC)
		return -EBADMSG;
	if (head->version != VMSI_SHARE_VERSION || head->page != vmsi_page_size())
		return -EPROTONOSUPPORT;
	if (head->maximum == 0 || !vmsi_is_aligned(head->maximum, head->page) ||
	    head->maximum > length ||
	    length - head->maximum != vmsi_share_head_bytes() ||
	    !vmsi_is_aligned(head->address, head->page) ||
	    (head->address && head->address <= head->page))
		return -EBADMSG;
	share->maximum = head->maximum;
	return 0;
}

static int read_head(struct vms_share *share, struct vmsi_share_head *head)
{
	uint64_t length;
	size_t got = 0;
	int error = check_kind(share->fd, &length);

	if (error)
		return error;
	error = vmsi_disk_read(share->fd, head, sizeof(*head), 0, &got);
	if (error)
		return error;
	return got < sizeof(*head) ? -EBADMSG :
		check_head(share, head, length);
}

/* Where it is to lie: where it lies for all, or where the caller wants it. */
static int choose_address(const struct vmsi_share_head *head, uintptr_t wanted,
			  uintptr_t *address)
{
	*address = wanted;
	if (!head->address)
		return 0;
	*address = (uintptr_t)head->address;
	return wanted && wanted != *address ? -EEXIST : 0;
}

static int fill(struct vms_share *share, int fd,
		const struct vms_share_options *options)
{
	struct vmsi_share_head head;
	uintptr_t address = 0;
	int error = open_own(share, fd);

	if (error)
		return error;
	/* Before its length is read, which can change until there are seals. */
	share->is_sealed = has_seals(share);
	error = read_head(share, &head);
	if (!error && !share->is_sealed && !(share->flags & VMS_SHARE_UNSEALED))
		error = -EPERM;
	if (!error && options->largest && share->maximum > options->largest)
		error = -EFBIG;
	if (!error)
		error = choose_address(&head, (uintptr_t)options->address, &address);
	if (error)
		return error;
	if (head.address)
		share->flags |= VMS_SHARE_SAME_ADDRESS;
	atomic_store(&share->used, share->maximum);
	error = vmsi_uses_take(share->fd, 0, share->maximum);
	return error ? error : vmsi_share_map(share, address);
}

static int attach(int fd, const struct vms_share_options *options,
		  struct vms_share **result)
{
	struct vms_share *share = vmsi_share_record(options->flags);
	int error;

	if (!share)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	error = fill(share, fd, options);
	if (!error) {
		vmsi_share_set_complete(share, true);
		*result = share;
		return 0;
	}
	vmsi_share_drop_record(share);
	return error;
}

#define ATTACHING \
	(VMS_SHARE_READ_ONLY | VMS_SHARE_HUGE_PAGES | VMS_SHARE_UNSEALED)

static int take_options(struct vms_share_options *known,
			const struct vms_share_options *options)
{
	int error = vmsi_share_options(known, options, ATTACHING);

	if (!error && known->mode)
		error = -EINVAL;
	if (!error && (known->flags & VMS_SHARE_HUGE_PAGES))
		error = vmsi_share_check_huge();
	return error;
}

vms_share *vms_share_attach(int fd, const struct vms_share_options *options)
{
	struct vms_share_options known;
	struct vms_share *share = NULL;
	int error = take_options(&known, options);

	if (!error)
		error = attach(fd, &known, &share);
	if (error)
		(void)vmsi_status(error);
	return share;
}

vms_share *vms_share_attach_path(const char *path,
				 const struct vms_share_options *options)
{
	struct vms_share_options known;
	struct vms_share *share = NULL;
	int error = take_options(&known, options);
	long fd = -1;

	if (!error) {
		fd = vmsi_host.open_file(path, O_NONBLOCK |
			(known.flags & VMS_SHARE_READ_ONLY ? O_RDONLY : O_RDWR), 0);
		error = fd < 0 ? (int)fd : 0;
	}
	/* Who names a path trusts those who may write to it. */
	known.flags |= VMS_SHARE_UNSEALED;
	if (!error)
		error = attach((int)fd, &known, &share);
	if (fd >= 0)
		(void)vmsi_host.close((int)fd);
	if (share)
		vmsi_space_tell(share->space, VMSI_SIGN_SHARE, path);
	else
		(void)vmsi_status(error);
	return share;
}
