/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <errno.h>
#include <fcntl.h>

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

static int take_size(struct vms_file *file, uint64_t size)
{
	vmsi_lock_acquire(&file->lock);
	atomic_store(&file->size, vmsi_min(size, file->maximum));
	vmsi_lock_release(&file->lock);
	return size > file->maximum ? -EFBIG : 0;
}

/* The journal is not looked at then, and not kept from going. */
static int show_home_alone(struct vms_file *file)
{
	uint64_t size;
	int error;

	(void)vmsi_journal_close(&file->atomic->journal);
	file->atomic->reader.laid.is_laid = false;
	error = vmsi_overlay_remove(file);
	if (!error)
		error = vmsi_disk_size(file->fd, &size);
	return error ? error : take_size(file, size);
}

/* A writer that closes takes its journal away, and the next one makes another. */
static bool has_journal(const struct vms_file *file)
{
	const long fd = vmsi_host.open_file(file->atomic->journal.path, O_PATH, 0);

	if (fd >= 0)
		vmsi_host.close((int)fd);
	return fd != -ENOENT;
}

static bool is_laid(const struct vms_file *file)
{
	const struct vmsi_journal *journal = &file->atomic->journal;
	const struct vmsi_laid *laid = &file->atomic->reader.laid;
	uint64_t home_size;

	return laid->is_laid && !file->atomic->reader.overlay_is_lost &&
		vmsi_disk_size(file->fd, &home_size) == 0 &&
		home_size == laid->home_size &&
		vmsi_journal_has_changed(journal, laid->is_frozen) == 0;
}

static int lay(struct vms_file *file)
{
	struct vmsi_laid *laid = &file->atomic->reader.laid;
	int error;

	laid->is_laid = false;
	laid->is_frozen = !vmsi_home_lock_has_writer(&file->atomic->lock);
	error = open_again(file);
	if (error)
		return error;
	if (file->atomic->journal.fd < 0)
		return show_home_alone(file);
	error = vmsi_disk_size(file->fd, &laid->home_size);
	if (!error)
		error = vmsi_overlay_lay(file, &laid->size);
	laid->is_laid = !error;
	return error ? error : take_size(file, laid->size);
}

static int look(struct vms_file *file)
{
	const int fd = file->atomic->journal.fd;

	if (vmsi_home_lock_says_whole(&file->atomic->lock))
		return show_home_alone(file);
	if (fd < 0 || was_removed(fd) ||
	    vmsi_journal_check_descriptor(&file->atomic->journal) != 0)
		return has_journal(file) ? lay(file) : show_home_alone(file);
	return is_laid(file) ? take_size(file, file->atomic->reader.laid.size) :
		lay(file);
}

int vmsi_reader_look(struct vms_file *file)
{
	int error = look(file);

	if (!error)
		file->atomic->reader.overlay_is_lost = false;
	return error;
}

/* --- opening and closing ------------------------------------------------------------ */

int vmsi_reader_open(struct vms_file *file, const char *path,
		     const char **problem)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

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
	error = vmsi_reader_look(file);
	vmsi_home_lock_end(&file->atomic->lock);
	return error;
}

void vmsi_reader_close(struct vms_file *file)
{
	(void)vmsi_journal_close(&file->atomic->journal);
	vmsi_pageset_close(&file->atomic->reader.overlaid);
}
