/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "file/atomic.h"
#include "file/base.h"
#include "file/drop.h"
#include "file/gather.h"
#include "host/host.h"
#include "space/inside.h"

/* What of a file is in memory. */

static int check_range(struct vms_file *file, uint64_t offset, size_t length)
{
	return file ? vmsi_file_reach(file, offset, length) : -EINVAL;
}

/* Advice that gives pages up, and with them what was written and not committed. */
static bool loses_pages(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_FREE ||
		advice == MADV_REMOVE || advice == MADV_DONTNEED_LOCKED ||
		advice == MADV_WIPEONFORK;
}

int vms_file_advise(vms_file *file, uint64_t offset, size_t length, int advice)
{
	struct vmsi_range range;
	int error = check_range(file, offset, length);

	if (!error && !file->base)
		error = -ENXIO;
	if (!error && file->atomic && loses_pages(advice))
		error = -EINVAL;
	if (error)
		return vmsi_status(error);
	range = vmsi_base_range(file, offset, length);
	return vms_madvise(file->space, (void *)range.start,
			   length ? vmsi_range_length(range) : 0, advice);
}

/* --- prefetch ------------------------------------------------------------------------- */

/*
 * By the mapping, where there is one: that also brings in what a file in memory, or
 * private memory, has swapped out.
 */
static long prefetch(const struct vms_file *file, uint64_t offset, size_t length)
{
	struct vmsi_range range;

	if (!file->base)
		return vmsi_host.fadvise(file->fd, offset, length,
					 POSIX_FADV_WILLNEED);
	range = vmsi_base_range(file, offset, length);
	return vmsi_host.madvise(range.start, vmsi_range_length(range),
				 MADV_WILLNEED);
}

int vms_file_prefetch(vms_file *file, uint64_t offset, size_t length)
{
	int error = check_range(file, offset, length);

	if (!error && length > 0)
		error = (int)prefetch(file, offset, length);
	return vmsi_status(error);
}

/* --- drop ----------------------------------------------------------------------------- */

static int drop(struct vms_file *file, uint64_t offset, size_t length)
{
	if (vmsi_base_is_private(file))
		return vmsi_drop_private(vmsi_base_range(file, offset, length));
	if (file->atomic)
		return vmsi_atomic_drop(file, offset, length);
	return vmsi_drop_shared(file, offset, length);
}

int vms_file_drop(vms_file *file, uint64_t offset, size_t length)
{
	int error = check_range(file, offset, length);

	return vmsi_status(error || length == 0 ? error :
		drop(file, offset, length));
}
