/* SPDX-License-Identifier: MIT */
#include "file/reading.h"

#include <errno.h>

#include "file/accesses.h"
#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/descriptor.h"
#include "file/drop.h"
#include "file/file.h"
#include "file/reader.h"
#include "file/show.h"
#include "host/host.h"

void vmsi_reading_init(struct vmsi_reader *reader)
{
	static _Atomic uint64_t opened;

	reader->serial = atomic_fetch_add(&opened, 1) + 1;
	pthread_mutex_init(&reader->mutex, NULL);
	pthread_cond_init(&reader->changed, NULL);
	reader->for_child = -1;
}

/* --- accesses ---------------------------------------------------------------------- */

/* The child of a fork makes a description of its own when it begins its first access. */
static int have_lock(struct vms_file *file)
{
	struct vmsi_home_lock *lock = &file->atomic->lock;
	int fd;

	if (lock->fd >= 0)
		return 0;
	/* Those that are open have no lock, and have been told. */
	if (file->atomic->reader.inside > 0)
		return -EIO;
	fd = vmsi_descriptor_reopen(file->fd, O_RDONLY);
	if (fd < 0)
		return fd;
	lock->fd = fd;
	return 0;
}

/* With the mutex, which others may have meanwhile. */
static int take_reading(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	struct vmsi_home_lock *lock = &file->atomic->lock;
	int error;

	reader->reading = VMSI_READING_TAKING;
	pthread_mutex_unlock(&reader->mutex);
	error = vmsi_home_lock_begin_nested(lock);
	pthread_mutex_lock(&reader->mutex);
	if (!error) {
		error = vmsi_reader_look(file);
		if (error)
			vmsi_home_lock_end(lock);
	}
	reader->reading = error ? VMSI_READING_NONE : VMSI_READING_HELD;
	pthread_cond_broadcast(&reader->changed);
	return error;
}

static void leave(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;

	if (--reader->inside > 0 || reader->reading != VMSI_READING_HELD)
		return;
	vmsi_home_lock_end(&file->atomic->lock);
	reader->reading = VMSI_READING_NONE;
}

/* Past the door. While one access is open, nothing can have changed. */
static int enter(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	int error = 0;

	reader->inside++;
	while (!error && reader->reading != VMSI_READING_HELD)
		if (reader->reading == VMSI_READING_NONE)
			error = take_reading(file);
		else
			vmsi_wait_for_change(&reader->changed, &reader->mutex);
	if (error)
		leave(file);
	return error;
}

/*
 * Who finds READING held goes in, unless a writer waits for it: then he lines up behind
 * the writer, as those of other processes do, or the writer would never have its turn.
 * One thread at a time waits there, since DOOR is the process's.
 */
static bool must_line_up(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;

	while (reader->reading != VMSI_READING_HELD ||
	       vmsi_home_lock_is_wanted(&file->atomic->lock)) {
		if (!reader->at_door)
			return true;
		vmsi_wait_for_change(&reader->changed, &reader->mutex);
	}
	return false;
}

static int enter_by_door(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	struct vmsi_home_lock *lock = &file->atomic->lock;
	int error;

	reader->at_door = true;
	pthread_mutex_unlock(&reader->mutex);
	error = vmsi_home_lock_come(lock);
	pthread_mutex_lock(&reader->mutex);
	if (!error) {
		error = enter(file);
		vmsi_home_lock_pass(lock);
	}
	reader->at_door = false;
	pthread_cond_broadcast(&reader->changed);
	return error;
}

/*
 * A thread that keeps a commit out already, of this file or of another, waits behind no
 * writer and for no thread that does: two such could wait for each other.
 */
static int begin(struct vms_file *file)
{
	const int error = have_lock(file);

	if (error)
		return error;
	return !vmsi_accesses_has_reader() && must_line_up(file) ?
		enter_by_door(file) : enter(file);
}

int vmsi_atomic_begin_access(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	int error;

	pthread_mutex_lock(&reader->mutex);
	error = begin(file);
	pthread_mutex_unlock(&reader->mutex);
	return error;
}

void vmsi_atomic_end_access(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;

	pthread_mutex_lock(&reader->mutex);
	leave(file);
	pthread_mutex_unlock(&reader->mutex);
}

/* A page that was laid over base may be lost, too: memory fails. */
int vmsi_atomic_begin_refresh(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;

	pthread_mutex_lock(&reader->mutex);
	if (atomic_load(&file->losses.count) !=
	    atomic_load(&file->losses.mended))
		reader->overlay_is_lost = true;
	pthread_mutex_unlock(&reader->mutex);
	return vmsi_atomic_begin_access(file);
}

/* --- drop --------------------------------------------------------------------------- */

/* What is laid over base is nowhere else that this process reads. */
static int drop_alike(struct vms_file *file, struct vmsi_page_run run)
{
	const size_t page = vmsi_page_size();

	if (vmsi_pageset_has(&file->atomic->reader.overlaid, run.first))
		return vmsi_drop_private(vmsi_pages_range(file, run));
	return vmsi_drop_shared(file, run.first * page,
				(run.end - run.first) * page);
}

/* With the mutex, so that nothing is laid over base meanwhile. */
static int drop(struct vms_file *file, struct vmsi_page_run run)
{
	struct vmsi_pageset *overlaid = &file->atomic->reader.overlaid;
	int error = 0;

	if (vmsi_pageset_count(overlaid) == 0)
		return vmsi_drop_shared(file, run.first * vmsi_page_size(),
					(run.end - run.first) * vmsi_page_size());
	while (run.first < run.end && !error) {
		const struct vmsi_page_run part = vmsi_pageset_alike(overlaid, run);

		error = drop_alike(file, part);
		run.first = part.end;
	}
	return error;
}

int vmsi_atomic_drop(struct vms_file *file, uint64_t offset, size_t length)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	int error;

	pthread_mutex_lock(&reader->mutex);
	error = drop(file, (struct vmsi_page_run){
		offset / vmsi_page_size(), vmsi_pages_of(offset + length) });
	pthread_mutex_unlock(&reader->mutex);
	return error;
}

/* --- fork --------------------------------------------------------------------------- */

void vmsi_reading_hold(struct vms_file *file)
{
	pthread_mutex_lock(&file->atomic->reader.mutex);
}

/*
 * The lock of an access that goes on in the child is taken while the parent's is held,
 * by a description that the child inherits and the parent closes.
 */
void vmsi_reading_before_fork(struct vms_file *file)
{
	struct vmsi_home_lock lock = { .fd = -1 };

	if (vmsi_accesses_has(file))
		lock.fd = vmsi_descriptor_reopen(file->fd, O_RDONLY);
	if (lock.fd >= 0 && vmsi_home_lock_begin_nested(&lock) != 0) {
		vmsi_host.close(lock.fd);
		lock.fd = -1;
	}
	file->atomic->reader.for_child = lock.fd;
}

void vmsi_reading_after_fork(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;

	if (reader->for_child >= 0)
		vmsi_host.close(reader->for_child);
	reader->for_child = -1;
	pthread_mutex_unlock(&reader->mutex);
}

void vmsi_reading_forked(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	struct vmsi_home_lock *lock = &file->atomic->lock;

	if (lock->fd >= 0 && lock->fd != file->fd)
		vmsi_host.close(lock->fd);
	lock->fd = reader->for_child;
	reader->for_child = -1;
	reader->inside = vmsi_accesses_count(file);
	if (reader->inside > 0 && lock->fd < 0)
		vmsi_accesses_spoil(file);
	reader->reading = reader->inside > 0 && lock->fd >= 0 ?
		VMSI_READING_HELD : VMSI_READING_NONE;
	/* Nobody waits in the child. */
	reader->at_door = false;
	pthread_cond_init(&reader->changed, NULL);
	pthread_mutex_unlock(&reader->mutex);
}
