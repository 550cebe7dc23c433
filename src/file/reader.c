/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <errno.h>

#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "file/overlay.h"
#include "host/disk.h"
#include "host/host.h"

/* --- the latest commit ------------------------------------------------------------- */

static bool was_removed(int fd)
{
	struct stat status;

	return vmsi_host.fstat(fd, &status) != 0 || status.st_nlink == 0;
}

/*
 * Look at the journal anew. Which journal is wrong is told when the file is opened;
 * later, it is EBADMSG or ESTALE.
 */
static int open_again(struct vms_file *file)
{
	struct vmsi_journal *journal = &file->atomic->journal;
	const char *path = journal->path;
	const char *problem;

	(void)vmsi_journal_close(journal);
	return vmsi_journal_open(journal, file->fd, path, VMSI_JOURNAL_READ,
				 &problem);
}

/* A writer that closes takes its journal away, and the next one makes another. */
static int follow_journal(struct vms_file *file)
{
	const int fd = file->atomic->journal.fd;

	return fd >= 0 && !was_removed(fd) ? 0 : open_again(file);
}

static int take_size(struct vms_file *file, uint64_t size)
{
	vmsi_lock_acquire(&file->lock);
	atomic_store(&file->size, vmsi_min(size, file->maximum));
	vmsi_lock_release(&file->lock);
	return size > file->maximum ? -EFBIG : 0;
}

static int show_home_alone(struct vms_file *file)
{
	uint64_t size;
	int error = vmsi_overlay_remove(file);

	if (!error)
		error = vmsi_disk_size(file->fd, &size);
	return error ? error : take_size(file, size);
}

/* With READING, and no access open. */
static int look(struct vms_file *file)
{
	uint64_t size;
	int error = follow_journal(file);

	if (error)
		return error;
	if (file->atomic->journal.fd < 0 ||
	    vmsi_home_lock_says_whole(&file->atomic->lock))
		return show_home_alone(file);
	error = open_again(file);
	if (!error)
		error = vmsi_overlay_lay(file, &size);
	return error ? error : take_size(file, size);
}

/* --- opening and closing ------------------------------------------------------------ */

int vmsi_reader_open(struct vms_file *file, const char *path,
		     const char **problem)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	pthread_mutex_init(&atomic->reader.mutex, NULL);
	error = vmsi_home_lock_begin_read(&atomic->lock);
	if (error)
		return error;
	error = vmsi_journal_open(&atomic->journal, file->fd, path,
				  VMSI_JOURNAL_READ, problem);
	vmsi_home_lock_end(&atomic->lock);
	return error;
}

int vmsi_reader_start(struct vms_file *file)
{
	int error = vmsi_pageset_open(&file->atomic->reader.overlaid,
				      file->maximum / vmsi_page_size());

	if (!error)
		error = vmsi_home_lock_begin_read(&file->atomic->lock);
	if (error)
		return error;
	error = look(file);
	vmsi_home_lock_end(&file->atomic->lock);
	return error;
}

void vmsi_reader_close(struct vms_file *file)
{
	(void)vmsi_journal_close(&file->atomic->journal);
	vmsi_pageset_close(&file->atomic->reader.overlaid);
}

/* --- accesses ---------------------------------------------------------------------- */

static int begin(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	/* While one access is open, nothing can have changed. */
	if (atomic->reader.inside > 0)
		return 0;
	error = vmsi_home_lock_begin_read(&atomic->lock);
	if (error)
		return error;
	error = look(file);
	if (error)
		vmsi_home_lock_end(&atomic->lock);
	return error;
}

int vmsi_atomic_begin_access(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;
	int error;

	pthread_mutex_lock(&reader->mutex);
	error = begin(file);
	if (!error)
		reader->inside++;
	pthread_mutex_unlock(&reader->mutex);
	return error;
}

void vmsi_atomic_end_access(struct vms_file *file)
{
	struct vmsi_reader *reader = &file->atomic->reader;

	pthread_mutex_lock(&reader->mutex);
	if (--reader->inside == 0)
		vmsi_home_lock_end(&file->atomic->lock);
	pthread_mutex_unlock(&reader->mutex);
}

int vmsi_atomic_refresh(struct vms_file *file)
{
	int error = vmsi_atomic_begin_access(file);

	if (!error)
		vmsi_atomic_end_access(file);
	return error;
}
