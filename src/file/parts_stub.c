/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "file/atomic.h"
#include "file/disk.h"
#include "host/host.h"

/* A stand-in for disk.c and for what atomic files need, until these are there. */

int vmsi_atomic_begin_access(struct vms_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

void vmsi_atomic_end_access(struct vms_file *file)
{
	(void)file;
}

int vmsi_atomic_show_again(struct vms_file *file, uint64_t offset,
			   uint64_t length)
{
	(void)file, (void)offset, (void)length;
	return -EOPNOTSUPP;
}

int vmsi_disk_read(int fd, void *bytes, size_t length, uint64_t offset,
		   size_t *got)
{
	const long result = vmsi_host.pread(fd, bytes, length, offset);

	*got = result < 0 ? 0 : (size_t)result;
	return result < 0 ? (int)result : 0;
}

int vmsi_disk_write(int fd, const void *bytes, size_t length, uint64_t offset)
{
	const long result = vmsi_host.pwrite(fd, bytes, length, offset);

	return result < 0 ? (int)result : 0;
}
