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
	WHOLE,
};

#define FIRST_BYTE ((off_t)0x6e00000000000000)

static struct flock byte_of(enum place place, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = FIRST_BYTE + (off_t)place,
		.l_len = 1,
	};
}

static int set(const struct vmsi_home_lock *lock, enum place place, short type,
	       int command)
{
	struct flock request = byte_of(place, type);
	long error;

	do
		error = vmsi_host.file_lock(lock->fd, command, &request);
	while (error == -EINTR);
	return (int)error;
}

static bool is_held(int error)
{
	return error == -EAGAIN || error == -EACCES;
}

int vmsi_home_lock_writer(struct vmsi_home_lock *lock)
{
	int error = set(lock, WRITER, F_WRLCK, F_OFD_SETLK);

	return is_held(error) ? -EBUSY : error;
}

/*
 * To let go of one whole byte needs no memory, so it fails only where the host is made
 * to fail; others must not wait for ever because of that.
 */
static int let_go(const struct vmsi_home_lock *lock, enum place place)
{
	int tries = 0;
	int error;

	do
		error = set(lock, place, F_UNLCK, F_OFD_SETLK);
	while (error && ++tries < 3);
	return error;
}

/* Who waits for READING holds DOOR meanwhile. */
static int take_reading(struct vmsi_home_lock *lock, short type)
{
	int error = set(lock, DOOR, type, F_OFD_SETLKW);

	if (error)
		return error;
	error = set(lock, READING, type, F_OFD_SETLKW);
	(void)let_go(lock, DOOR);
	return error;
}

/* Where nobody reads, there is nothing to wait for. */
int vmsi_home_lock_begin_write(struct vmsi_home_lock *lock)
{
	int error = set(lock, READING, F_WRLCK, F_OFD_SETLK);

	return is_held(error) ? take_reading(lock, F_WRLCK) : error;
}

#define PATIENCE 20
#define PAUSE_NANOSECONDS 50000u

int vmsi_home_lock_try_write(struct vmsi_home_lock *lock)
{
	int error = set(lock, READING, F_WRLCK, F_OFD_SETLK);

	if (!is_held(error))
		return error;
	/* Those who are inside may leave, if nobody comes after them. */
	error = set(lock, DOOR, F_WRLCK, F_OFD_SETLK);
	if (error)
		return is_held(error) ? -EAGAIN : error;
	for (int i = 0; i < PATIENCE; i++) {
		vmsi_host.nanosleep(PAUSE_NANOSECONDS);
		error = set(lock, READING, F_WRLCK, F_OFD_SETLK);
		if (!is_held(error))
			break;
	}
	(void)let_go(lock, DOOR);
	return is_held(error) ? -EAGAIN : error;
}

int vmsi_home_lock_begin_read(struct vmsi_home_lock *lock)
{
	return take_reading(lock, F_RDLCK);
}

void vmsi_home_lock_end(struct vmsi_home_lock *lock)
{
	(void)let_go(lock, READING);
}

int vmsi_home_lock_tell_whole(struct vmsi_home_lock *lock, bool is_whole)
{
	int error;

	if (lock->is_whole == is_whole)
		return 0;
	error = is_whole ? set(lock, WHOLE, F_WRLCK, F_OFD_SETLK) :
		let_go(lock, WHOLE);
	if (!error)
		lock->is_whole = is_whole;
	return is_whole ? 0 : error;
}

bool vmsi_home_lock_says_whole(const struct vmsi_home_lock *lock)
{
	struct flock other = byte_of(WHOLE, F_RDLCK);

	return vmsi_host.file_lock(lock->fd, F_OFD_GETLK, &other) == 0 &&
		other.l_type == F_WRLCK;
}
