/* SPDX-License-Identifier: MIT */
#include "host/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/host.h"
#include "host/raw.h"
#include "text/number.h"

void vmsi_descriptor_link(char *link, int fd)
{
	static const char directory[] = "/proc/self/fd/";
	struct vmsi_digits digits;
	const char *number = vmsi_write_digits(&digits, (unsigned)fd, 10);

	memcpy(link, directory, sizeof(directory) - 1);
	memcpy(link + sizeof(directory) - 1, number, strlen(number) + 1);
}

long vmsi_host_ftruncate(int fd, uint64_t length)
{
	return vmsi_raw_call(SYS_ftruncate, fd, (long)length, 0, 0, 0, 0);
}

long vmsi_host_open_file(const char *path, int flags, mode_t mode)
{
	return vmsi_raw_call(SYS_openat, AT_FDCWD, (long)path,
			     flags | O_CLOEXEC, (long)mode, 0, 0);
}

long vmsi_host_duplicate(int fd, int least)
{
	return vmsi_raw_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least, 0, 0, 0);
}

long vmsi_host_replace(int fd, int target)
{
	return vmsi_raw_call(SYS_dup3, fd, target, O_CLOEXEC, 0, 0, 0);
}

long vmsi_host_link(int fd, const char *path)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];

	vmsi_descriptor_link(link, fd);
	return vmsi_raw_call(SYS_linkat, AT_FDCWD, (long)link, AT_FDCWD,
			     (long)path, AT_SYMLINK_FOLLOW, 0);
}

long vmsi_host_unlink(const char *path)
{
	return vmsi_raw_call(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}

long vmsi_host_pwrite(int fd, const void *buffer, size_t length,
			uint64_t offset)
{
	return vmsi_raw_call(SYS_pwrite64, fd, (long)buffer, (long)length,
			     (long)offset, 0, 0);
}

/* The offset is in two words, of which the first has all on machines of 64 bits. */
long vmsi_host_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	return vmsi_raw_call(SYS_preadv, fd, (long)parts, count, (long)offset, 0, 0);
}

long vmsi_host_pwritev(int fd, const struct iovec *parts, int count,
		       uint64_t offset)
{
	return vmsi_raw_call(SYS_pwritev, fd, (long)parts, count, (long)offset, 0, 0);
}

long vmsi_host_append(int fd, const struct iovec *parts, int count)
{
	const long at_position = -1;

	return vmsi_raw_call(SYS_pwritev2, fd, (long)parts, count, at_position,
			     at_position, RWF_APPEND);
}

long vmsi_host_end(int fd)
{
	return vmsi_raw_call(SYS_lseek, fd, 0, SEEK_END, 0, 0, 0);
}

long vmsi_host_position(int fd)
{
	return vmsi_raw_call(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
}

long vmsi_host_set_owner(int fd, uid_t owner, gid_t group)
{
	return vmsi_raw_call(SYS_fchown, fd, (long)owner, (long)group, 0, 0, 0);
}

long vmsi_host_set_mode(int fd, mode_t mode)
{
	return vmsi_raw_call(SYS_fchmod, fd, (long)mode, 0, 0, 0, 0);
}

long vmsi_host_next_data(int fd, uint64_t offset)
{
	return vmsi_raw_call(SYS_lseek, fd, (long)offset, SEEK_DATA, 0, 0, 0);
}

long vmsi_host_seek(int fd, uint64_t position)
{
	const long at = vmsi_raw_call(SYS_lseek, fd, (long)position, SEEK_SET, 0,
				      0, 0);

	return at < 0 ? at : 0;
}

long vmsi_host_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	return vmsi_raw_call(SYS_fallocate, fd, mode, (long)offset,
			     (long)length, 0, 0);
}

long vmsi_host_fsync(int fd)
{
	return vmsi_raw_call(SYS_fsync, fd, 0, 0, 0, 0, 0);
}

long vmsi_host_fdatasync(int fd)
{
	return vmsi_raw_call(SYS_fdatasync, fd, 0, 0, 0, 0, 0);
}

long vmsi_host_sync_range(int fd, uint64_t offset, uint64_t length,
			    unsigned flags)
{
	return vmsi_raw_call(SYS_sync_file_range, fd, (long)offset,
			     (long)length, (long)flags, 0, 0);
}

long vmsi_host_fadvise(int fd, uint64_t offset, uint64_t length, int advice)
{
	return vmsi_raw_call(SYS_fadvise64, fd, (long)offset, (long)length,
			     advice, 0, 0);
}

long vmsi_host_attribute(int fd, const char *name, void *value, size_t size)
{
	return vmsi_raw_call(SYS_fgetxattr, fd, (long)name, (long)value,
			     (long)size, 0, 0);
}

long vmsi_host_set_attribute(int fd, const char *name, const void *value,
			       size_t size)
{
	return vmsi_raw_call(SYS_fsetxattr, fd, (long)name, (long)value,
			     (long)size, 0, 0);
}

long vmsi_host_birth_time(int fd, struct timespec *time)
{
	struct statx status = { .stx_mask = 0 };
	long result = vmsi_raw_call(SYS_statx, fd, (long)"", AT_EMPTY_PATH,
				    STATX_BTIME, (long)&status, 0);

	if (result < 0)
		return result;
	if (!(status.stx_mask & STATX_BTIME))
		return -ENODATA;
	time->tv_sec = status.stx_btime.tv_sec;
	time->tv_nsec = status.stx_btime.tv_nsec;
	return 0;
}
