/* SPDX-License-Identifier: MIT */
#include "file/disk.h"

#include <errno.h>

#include "host/host.h"

/* Stands in for disk.c until the branches are merged. */

int vmsi_disk_read(int fd, void *bytes, size_t length, uint64_t offset,
		   size_t *got)
{
	size_t done = 0;

	while (done < length) {
		long n = vmsi_host.pread(fd, (char *)bytes + done, length - done,
					 offset + done);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	if (got)
		*got = done;
	for (; done < length; done++)
		((char *)bytes)[done] = 0;
	return 0;
}

int vmsi_disk_write(int fd, const void *bytes, size_t length, uint64_t offset)
{
	size_t done = 0;

	while (done < length) {
		long n = vmsi_host.pwrite(fd, (const char *)bytes + done,
					  length - done, offset + done);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int vmsi_disk_extend(int fd, uint64_t offset, uint64_t length,
		     enum vmsi_disk_size size)
{
	(void)size;
	return (int)vmsi_host.fallocate(fd, 0, offset, length);
}

int vmsi_disk_truncate(int fd, uint64_t size)
{
	long error;

	do
		error = vmsi_host.ftruncate(fd, size);
	while (error == -EINTR);
	return (int)error;
}
