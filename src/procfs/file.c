/* SPDX-License-Identifier: MIT */
#include "procfs/file.h"

#include <errno.h>
#include <string.h>

#include "base/panic.h"
#include "host/host.h"
#include "text/number.h"

#define NAME_MAX_BYTES 32
#define PATH_BYTES (sizeof("/proc/2147483647/") + NAME_MAX_BYTES)

/* Whether procfs is mounted and shows the calling process. */
static bool is_mounted(void)
{
	char target[16];

	return vmsi_host.readlink("/proc/self", target, sizeof(target)) > 0;
}

int vmsi_procfs_open(pid_t pid, const char *name)
{
	char path[PATH_BYTES];
	char *at = stpcpy(path, "/proc/");
	struct vmsi_digits digits;
	long fd;

	vmsi_debug_check(strlen(name) <= NAME_MAX_BYTES,
			 "a procfs file name is too long");
	at = stpcpy(at, pid == 0 ? "self" :
		    vmsi_write_digits(&digits, (unsigned)pid, 10));
	stpcpy(stpcpy(at, "/"), name);

	do
		fd = vmsi_host.open(path);
	while (fd == -EINTR);
	if (fd == -ENOENT && pid != 0 && is_mounted())
		return -ESRCH;
	return (int)fd;
}

int vmsi_procfs_check_complete(int fd)
{
	char byte;
	long got = vmsi_host.pread(fd, &byte, 1, 0);

	if (got < 0)
		return (int)got;
	return got == 0 ? -ESRCH : 0;
}
