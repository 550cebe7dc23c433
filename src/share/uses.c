/* SPDX-License-Identifier: MIT */
#include "share/uses.h"

#include <errno.h>
#include <fcntl.h>

#include "host/host.h"

/* The share's byte 0. The largest offset is behind the longest share. */
#define FIRST ((uint64_t)1 << 62)

#define SWEEP (FIRST - 1)

static int set(int fd, short type, uint64_t at, uint64_t length)
{
	struct flock range = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = (off_t)at, .l_len = (off_t)length,
	};
	long error;

	do
		error = vmsi_host.file_lock(fd, F_OFD_SETLK, &range);
	while (error == -EINTR);
	return error == -EACCES ? -EAGAIN : (int)error;
}

/* A length of 0 would be all that is behind. */
static int set_range(int fd, short type, uint64_t from, uint64_t end)
{
	return from < end ? set(fd, type, FIRST + from, end - from) : 0;
}

int vmsi_uses_take(int fd, uint64_t from, uint64_t end)
{
	return set_range(fd, F_RDLCK, from, end);
}

int vmsi_uses_let_go(int fd, uint64_t from, uint64_t end)
{
	return set_range(fd, F_UNLCK, from, end);
}

int vmsi_uses_exclude(int fd, uint64_t from, uint64_t end)
{
	return set_range(fd, F_WRLCK, from, end);
}

int vmsi_uses_begin_sweep(int fd)
{
	return set(fd, F_WRLCK, SWEEP, 1);
}

void vmsi_uses_end_sweep(int fd)
{
	(void)set(fd, F_UNLCK, SWEEP, 1);
}
