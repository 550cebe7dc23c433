/* SPDX-License-Identifier: MIT */
#include "share/uses.h"

#include <errno.h>
#include <fcntl.h>

#include "host/host.h"

/* The share's byte 0. The largest offset is behind the longest share. */
#define FIRST ((uint64_t)1 << 62)

static int set(int fd, short type, uint64_t from, uint64_t end)
{
	struct flock range = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = (off_t)(FIRST + from), .l_len = (off_t)(end - from),
	};
	long error;

	/* A length of 0 would be all that is behind. */
	if (from >= end)
		return 0;
	do
		error = vmsi_host.file_lock(fd, F_OFD_SETLK, &range);
	while (error == -EINTR);
	return error == -EACCES ? -EAGAIN : (int)error;
}

int vmsi_uses_take(int fd, uint64_t from, uint64_t end)
{
	return set(fd, F_RDLCK, from, end);
}

int vmsi_uses_let_go(int fd, uint64_t from, uint64_t end)
{
	return set(fd, F_UNLCK, from, end);
}

int vmsi_uses_exclude(int fd, uint64_t from, uint64_t end)
{
	return set(fd, F_WRLCK, from, end);
}
