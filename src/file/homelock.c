/* SPDX-License-Identifier: MIT */
#include "file/homelock.h"

#include <errno.h>
#include <fcntl.h>

#include "host/host.h"

/* Far past what a file can have, and not where other programs are known to lock. */
enum place {
	WRITER,
	DOOR,
	READING,
};

#define FIRST_BYTE ((off_t)0x6e00000000000000)

static int set(const struct vmsi_home_lock *lock, enum place place, short type,
	       int command)
{
	struct flock request = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = FIRST_BYTE + (off_t)place,
		.l_len = 1,
	};
	long error;

	do
		error = vmsi_host.file_lock(lock->fd, command, &request);
	while (error == -EINTR);
	return (int)error;
}

int vmsi_home_lock_writer(struct vmsi_home_lock *lock)
{
	int error = set(lock, WRITER, F_WRLCK, F_OFD_SETLK);

	return error == -EAGAIN || error == -EACCES ? -EBUSY : error;
}

/*
 * To let go of one whole byte needs no memory, so it fails only where the host is made
 * to fail; others must not wait for ever because of that.
 */
static void let_go(const struct vmsi_home_lock *lock, enum place place)
{
	int tries = 0;

	while (set(lock, place, F_UNLCK, F_OFD_SETLK) != 0 && ++tries < 3)
		;
}

/* Who waits for READING holds DOOR meanwhile. */
static int take_reading(struct vmsi_home_lock *lock, short type)
{
	int error = set(lock, DOOR, type, F_OFD_SETLKW);

	if (error)
		return error;
	error = set(lock, READING, type, F_OFD_SETLKW);
	let_go(lock, DOOR);
	return error;
}

int vmsi_home_lock_begin_write(struct vmsi_home_lock *lock)
{
	return take_reading(lock, F_WRLCK);
}

void vmsi_home_lock_end_write(struct vmsi_home_lock *lock)
{
	let_go(lock, READING);
}

int vmsi_home_lock_begin_read(struct vmsi_home_lock *lock)
{
	return take_reading(lock, F_RDLCK);
}

void vmsi_home_lock_end_read(struct vmsi_home_lock *lock)
{
	let_go(lock, READING);
}
