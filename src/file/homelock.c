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
#define DURABLE_BYTE ((off_t)0x6f00000000000000)

static struct flock byte_of(enum place place, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = FIRST_BYTE + (off_t)place,
		.l_len = 1,
	};
}

static struct flock durable_bytes(uint64_t count, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = DURABLE_BYTE,
		.l_len = (off_t)count,
	};
}

static int request(const struct vmsi_home_lock *lock, struct flock bytes,
		   int command)
{
	long error;

	do
		error = vmsi_host.file_lock(lock->fd, command, &bytes);
	while (error == -EINTR);
	return (int)error;
}

static int set(const struct vmsi_home_lock *lock, enum place place, short type,
	       int command)
{
	return request(lock, byte_of(place, type), command);
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
static int let_bytes_go(const struct vmsi_home_lock *lock, struct flock bytes)
{
	int tries = 0;
	int error;

	do
		error = request(lock, bytes, F_OFD_SETLK);
	while (error && ++tries < 3);
	return error;
}

static int let_go(const struct vmsi_home_lock *lock, enum place place)
{
	return let_bytes_go(lock, byte_of(place, F_UNLCK));
}

/* Who waits for READING holds DOOR meanwhile. */
static int wait_for_readers(const struct vmsi_home_lock *lock)
{
	int error = set(lock, DOOR, F_WRLCK, F_OFD_SETLKW);

	if (error)
		return error;
	error = set(lock, READING, F_WRLCK, F_OFD_SETLKW);
	(void)let_go(lock, DOOR);
	return error;
}

/* Where nobody reads, there is nothing to wait for. */
int vmsi_home_lock_begin_write(struct vmsi_home_lock *lock)
{
	int error = set(lock, READING, F_WRLCK, F_OFD_SETLK);

	return is_held(error) ? wait_for_readers(lock) : error;
}

#define PATIENCE_NANOSECONDS 1000000u
#define PAUSE_NANOSECONDS 50000u

/* By the clock: among many who want the processor a pause may be as long as all of it. */
static int wait_a_moment(const struct vmsi_home_lock *lock)
{
	const uint64_t end = vmsi_host.clock() + PATIENCE_NANOSECONDS;
	int error;

	do {
		vmsi_host.nanosleep(PAUSE_NANOSECONDS);
		error = set(lock, READING, F_WRLCK, F_OFD_SETLK);
	} while (is_held(error) && vmsi_host.clock() < end);
	return error;
}

int vmsi_home_lock_try_write(struct vmsi_home_lock *lock,
			     enum vmsi_home_lock_pause pause)
{
	int error = set(lock, READING, F_WRLCK, F_OFD_SETLK);

	if (!is_held(error))
		return error;
	if (pause == VMSI_NO_PAUSE)
		return -EAGAIN;
	/* Those who are inside may leave, if nobody comes after them. */
	error = set(lock, DOOR, F_WRLCK, F_OFD_SETLK);
	if (error)
		return is_held(error) ? -EAGAIN : error;
	error = wait_a_moment(lock);
	(void)let_go(lock, DOOR);
	return is_held(error) ? -EAGAIN : error;
}

/* Whether another one holds a place for itself. */
static bool is_taken(const struct vmsi_home_lock *lock, enum place place)
{
	struct flock other = byte_of(place, F_RDLCK);

	return vmsi_host.file_lock(lock->fd, F_OFD_GETLK, &other) == 0 &&
		other.l_type == F_WRLCK;
}

int vmsi_home_lock_begin_read(struct vmsi_home_lock *lock)
{
	int error = vmsi_home_lock_come(lock);

	if (error)
		return error;
	error = vmsi_home_lock_begin_nested(lock);
	vmsi_home_lock_pass(lock);
	return error;
}

int vmsi_home_lock_come(struct vmsi_home_lock *lock)
{
	int error;

	if (!is_taken(lock, DOOR))
		return 0;
	error = set(lock, DOOR, F_RDLCK, F_OFD_SETLKW);
	lock->at_door = error == 0;
	return error;
}

void vmsi_home_lock_pass(struct vmsi_home_lock *lock)
{
	if (lock->at_door)
		(void)let_go(lock, DOOR);
	lock->at_door = false;
}

int vmsi_home_lock_begin_nested(struct vmsi_home_lock *lock)
{
	return set(lock, READING, F_RDLCK, F_OFD_SETLKW);
}

void vmsi_home_lock_end(struct vmsi_home_lock *lock)
{
	(void)let_go(lock, READING);
}

/* --- what a writer says --------------------------------------------------------------- */

static void say_nothing_of_the_end(struct vmsi_home_lock *lock)
{
	if (lock->durable &&
	    let_bytes_go(lock, durable_bytes(lock->durable, F_UNLCK)) == 0)
		lock->durable = 0;
}

void vmsi_home_lock_tell_whole(struct vmsi_home_lock *lock)
{
	say_nothing_of_the_end(lock);
	if (!lock->is_whole)
		lock->is_whole = set(lock, WHOLE, F_WRLCK, F_OFD_SETLK) == 0;
}

/* A lock is made longer in one step, so that there is an end at any moment. */
static void tell_end(struct vmsi_home_lock *lock, uint64_t end)
{
	if (end < lock->durable)
		say_nothing_of_the_end(lock);
	if (request(lock, durable_bytes(end, F_WRLCK), F_OFD_SETLK) == 0)
		lock->durable = end;
	else
		say_nothing_of_the_end(lock);
}

int vmsi_home_lock_tell_behind(struct vmsi_home_lock *lock, uint64_t end)
{
	int error = 0;

	if (end != lock->durable)
		tell_end(lock, end);
	if (lock->is_whole)
		error = let_go(lock, WHOLE);
	lock->is_whole = lock->is_whole && error;
	return error;
}

bool vmsi_home_lock_has_writer(const struct vmsi_home_lock *lock)
{
	struct flock other = byte_of(WRITER, F_RDLCK);

	return vmsi_host.file_lock(lock->fd, F_OFD_GETLK, &other) != 0 ||
		other.l_type != F_UNLCK;
}

bool vmsi_home_lock_is_wanted(const struct vmsi_home_lock *lock)
{
	return is_taken(lock, DOOR);
}

bool vmsi_home_lock_says_whole(const struct vmsi_home_lock *lock)
{
	return is_taken(lock, WHOLE);
}

uint64_t vmsi_home_lock_says_end(const struct vmsi_home_lock *lock)
{
	struct flock other = durable_bytes(1, F_RDLCK);

	return vmsi_host.file_lock(lock->fd, F_OFD_GETLK, &other) == 0 &&
		       other.l_type == F_WRLCK && other.l_start == DURABLE_BYTE ?
		(uint64_t)other.l_len : 0;
}
