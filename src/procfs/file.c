/* SPDX-License-Identifier: MIT */
#include "procfs/file.h"

#include <errno.h>
#include <string.h>

#include "base/panic.h"
#include "host/host.h"

#define NAME_MAX_BYTES 32
#define PATH_BYTES (sizeof("/proc/2147483647/") + NAME_MAX_BYTES)

static char *append(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length + 1);
	return at + length;
}

static char *append_number(char *at, unsigned number)
{
	char digits[] = "4294967295";
	size_t first = sizeof(digits) - 1;

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return append(at, digits + first);
}

/* Whether procfs shows at least the process that asks. */
static bool is_mounted(void)
{
	char target[16];

	return vmsi_host.readlink("/proc/self", target, sizeof(target)) > 0;
}

int vmsi_procfs_open(pid_t pid, const char *name)
{
	char path[PATH_BYTES];
	char *at = append(path, "/proc/");
	long fd;

	vmsi_debug_check(strlen(name) <= NAME_MAX_BYTES,
			 "a procfs file name is too long");
	at = pid == 0 ? append(at, "self") : append_number(at, (unsigned)pid);
	append(append(at, "/"), name);

	do
		fd = vmsi_host.open(path);
	while (fd == -EINTR);
	if (fd == -ENOENT && pid != 0 && is_mounted())
		return -ESRCH;
	return (int)fd;
}

static ssize_t read_file(void *context, void *buffer, size_t size)
{
	const int *fd = context;
	long got;

	do
		got = vmsi_host.read(*fd, buffer, size);
	while (got == -EINTR);
	return got;
}

void vmsi_procfs_lines(struct vmsi_lines *lines, int *fd, char *buffer,
		       size_t size)
{
	*lines = (struct vmsi_lines){
		.read = read_file,
		.context = fd,
		.buffer = buffer,
		.size = size,
	};
}
