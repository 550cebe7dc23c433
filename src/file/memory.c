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

/* Of Linux 6.0 and later, which older systems' headers lack. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/*
 * Advice that leaves the pages and what they show. Another one, of a later Linux, might
 * give up what was written and not committed.
 */
static bool keeps_pages(int advice)
{
	static const int keeping[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,
		MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_COLLAPSE,
	};

	for (size_t i = 0; i < sizeof(keeping) / sizeof(keeping[0]); i++)
		if (advice == keeping[i])
			return true;
	return false;
}

int vms_file_advise(vms_file *file, uint64_t offset, size_t length, int advice)
{
	struct vmsi_range range;
	int error = check_range(file, offset, length);

	if (!error && !file->base)
		error = -ENXIO;
	if (!error && file->atomic && !keeps_pages(advice))
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
