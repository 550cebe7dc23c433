/* SPDX-License-Identifier: MIT */
#include "file/drop.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "file/base.h"
#include "host/host.h"

/* Private pages are in no file: they go to swap, or stay where there is none. */
int vmsi_drop_private(struct vmsi_range range)
{
	return (int)vmsi_host.madvise(range.start, vmsi_range_length(range),
				      MADV_PAGEOUT);
}

/*
 * The mapping lets the pages go, which leaves them in the page cache, dirty if they
 * were written to; from there the kernel drops those that are clean.
 */
int vmsi_drop_shared(const struct vms_file *file, uint64_t offset, size_t length)
{
	const uint64_t start = vmsi_align_down(offset, vmsi_page_size());
	const uint64_t end = vmsi_page_end(offset + length);
	long error = 0;

	if (file->base)
		error = vmsi_host.madvise((uintptr_t)file->base + start,
					  end - start, MADV_DONTNEED);
	if (error)
		return (int)error;
	return (int)vmsi_host.fadvise(file->fd, start, end - start,
				      POSIX_FADV_DONTNEED);
}
