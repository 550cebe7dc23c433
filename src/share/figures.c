/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <vmspace/stat.h>

#include "base/versioned.h"
#include "host/host.h"
#include "share/share.h"
#include "share/sweep.h"
#include "space/inside.h"

/* The descriptors of a share, and its figures. */

int vms_share_fd(const vms_share *share)
{
	return share->fd;
}

int vms_share_read_only_fd(const vms_share *share)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	long fd;

	if (share->fd < 0)
		return vmsi_status(-EBADF);
	vmsi_descriptor_link(link, share->fd);
	fd = vmsi_host.open(link);
	return fd < 0 ? vmsi_status((int)fd) : (int)fd;
}

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Afterwards nobody can give memory back any more: what is to be, is first. */
static int forbid_writers(const struct vms_share *share)
{
	long error;

	if (vmsi_share_reads(share) || !share->is_sealed)
		return -EPERM;
	error = vmsi_share_sweep(share);
	if (!error)
		error = vmsi_host.add_seals(share->fd, F_SEAL_FUTURE_WRITE);
	return error < 0 ? (int)error : 0;
}

int vms_share_forbid_writers(vms_share *share)
{
	int error;

	vmsi_lock_acquire(&share->lock);
	error = forbid_writers(share);
	vmsi_lock_release(&share->lock);
	return vmsi_status(error);
}

int vms_share_get_stats(vms_share *share, struct vms_share_stats *stats)
{
	struct vms_share_stats known;
	struct stat status;
	int error = share && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_SHARE_STATS) : -EINVAL;

	if (!error)
		error = share->fd < 0 ? -EBADF :
			(int)vmsi_host.fstat(share->fd, &status);
	if (error)
		return vmsi_status(error);
	known = (struct vms_share_stats){
		.size = vmsi_share_size(share),
		.maximum = share->maximum,
		.used = atomic_load(&share->used),
		.allocated = (uint64_t)status.st_blocks * 512,
		.flags = share->flags,
		.sealed = share->is_sealed,
	};
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

int vms_stat_share(vms_share *share, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known;
	int error = vmsi_stat_check(share, flags, stat);

	if (!error && share->fd < 0)
		error = -EBADF;
	if (!error)
		error = vmsi_stat_of_space(share->space, flags, &known);
	if (!error)
		known.limit = share->maximum;
	return vmsi_stat_give(error, &known, stat);
}
