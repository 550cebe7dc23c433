/* SPDX-License-Identifier: MIT */
#include "share/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/align.h"
#include "host/host.h"
#include "share/map.h"
#include "share/share.h"
#include "share/uses.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int vmsi_share_may_clear(const struct vms_share *share)
{
	const long seals = share->is_sealed ? vmsi_host.seals(share->fd) : 0;

	if (seals < 0)
		return (int)seals;
	return seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ? -EPERM : 0;
}

int vmsi_share_clear_behind(const struct vms_share *share, uint64_t size)
{
	const uint64_t from = vmsi_align_up(size, vmsi_page_size());
	long error = 0;

	if (from < share->maximum)
		do
			error = vmsi_host.fallocate(
				share->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				vmsi_share_head_bytes() + from,
				share->maximum - from);
		while (error == -EINTR);
	if (error)
		return error == -ENOSYS ? -EOPNOTSUPP : (int)error;
	memset(share->base + size, 0, from - size);
	return 0;
}

static int sweep_alone(const struct vms_share *share)
{
	const uint64_t word = vmsi_share_load(&share->head->size);
	int error;

	if (!(word & VMSI_SHARE_UNSWEPT))
		return 0;
	error = vmsi_share_clear_behind(share, vmsi_share_bounded(share, word));
	if (!error)
		(void)vmsi_share_swap(&share->head->size, word,
				      word & ~VMSI_SHARE_UNSWEPT);
	return error;
}

int vmsi_share_sweep(const struct vms_share *share)
{
	int error;

	if (!vmsi_share_is_unswept(share))
		return 0;
	error = vmsi_uses_begin_sweep(share->fd);
	if (error)
		return error;
	error = sweep_alone(share);
	vmsi_uses_end_sweep(share->fd);
	return error;
}
