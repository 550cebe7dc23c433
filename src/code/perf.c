/* SPDX-License-Identifier: MIT */
#include "code/perf.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "host/disk.h"
#include "host/host.h"
#include "text/number.h"

/* /tmp/perf-PID.map has a line for each function: START SIZE NAME, in base 16. */

static char *add_text(char *end, const char *text)
{
	const size_t length = strlen(text);

	memcpy(end, text, length + 1);
	return end + length;
}

static char *add_number(char *end, uint64_t number, unsigned base)
{
	struct vmsi_digits digits;

	return add_text(end, vmsi_write_digits(&digits, number, base));
}

/*
 * perf takes only a file of its user, and nobody else's is to be written to, nor is a
 * pipe that somebody has put there to be waited for.
 */
static int check_owner(int fd)
{
	struct stat status;
	const long error = vmsi_host.fstat(fd, &status);

	if (error < 0)
		return (int)error;
	return S_ISREG(status.st_mode) &&
		status.st_uid == getauxval(AT_EUID) ? 0 : -EPERM;
}

static int open_file(struct vms_code *code, long process)
{
	char path[64], *end = add_text(path, "/tmp/perf-");
	int error;
	long fd;

	end = add_number(end, (uint64_t)process, 10);
	(void)add_text(end, ".map");
	fd = vmsi_host.open_file(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK,
				 0644);
	if (fd < 0)
		return (int)fd;
	error = check_owner((int)fd);
	if (error) {
		vmsi_host.close((int)fd);
		return error;
	}
	code->perf_fd = (int)fd;
	code->perf_process = process;
	return 0;
}

/* Add a line. Beyond RLIMIT_FSIZE the kernel would send SIGXFSZ. */
static int append(int fd, char *line, size_t length)
{
	const struct iovec part = { .iov_base = line, .iov_len = length };
	struct stat status;
	long result = vmsi_host.fstat(fd, &status);

	if (result < 0)
		return (int)result;
	result = vmsi_disk_check_limit((uint64_t)status.st_size + length);
	if (result < 0)
		return (int)result;
	result = vmsi_host.append(fd, &part, 1);
	if (result < 0)
		return (int)result;
	return (size_t)result == length ? 0 : -ENOSPC;
}

int vmsi_perf_add(struct vms_code *code, uintptr_t run, size_t size,
		  const char *name)
{
	char line[2 * sizeof(struct vmsi_digits) + VMS_CODE_NAME_MAX + 4];
	char *end = line;
	const long process = vmsi_host.getpid();
	int error;

	/* The child of a fork has a file of its own. */
	if (code->perf_fd >= 0 && code->perf_process != process)
		vmsi_perf_close(code);
	if (code->perf_fd < 0) {
		error = open_file(code, process);
		if (error)
			return error;
	}
	end = add_text(add_number(end, run, 16), " ");
	end = add_text(add_number(end, size, 16), " ");
	end = add_text(add_text(end, name), "\n");
	return append(code->perf_fd, line, (size_t)(end - line));
}

void vmsi_perf_close(struct vms_code *code)
{
	if (code->perf_fd >= 0)
		vmsi_host.close(code->perf_fd);
	code->perf_fd = -1;
}
