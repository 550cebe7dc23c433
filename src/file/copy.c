/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/alone.h"
#include "file/base.h"
#include "file/descriptor.h"
#include "file/gather.h"
#include "file/sizing.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * Copies that answer with an error where the file is lost in their range, and do not
 * care for losses elsewhere. As long as nothing of the file is lost, a copy is one
 * access; else it is made with the lock of the file held, so that nobody mends the
 * file and the marks of its pages tell what the copy has seen.
 */

enum direction { COPY_OUT, COPY_IN };

struct copy {
	vms_file *file;
	uint64_t offset;
	size_t length;
	void *bytes;        /* COPY_IN only reads them */
	enum direction direction;
};

static void move_bytes(const struct copy *copy)
{
	char *there = copy->file->base + copy->offset;

	if (copy->direction == COPY_OUT)
		memcpy(copy->bytes, there, copy->length);
	else
		memcpy(there, copy->bytes, copy->length);
}

static bool touches_loss(const struct copy *copy)
{
	return vmsi_losses_has(&copy->file->losses, copy->offset, copy->length);
}

/* Returns 0 or -errno. */
static int end_with(struct vms_file_access *access)
{
	return vms_file_end_access(access, NULL) == 0 ? 0 : -errno;
}

static int why_lost(const struct copy *copy)
{
	uint64_t offset;

	return -vmsi_losses_first(&copy->file->losses, &offset);
}

/* Stores into an atomic file may be stalled by a commit, which needs the lock. */
static bool may_store(const struct copy *copy)
{
	const size_t page = vmsi_page_size();

	return copy->direction == COPY_OUT || !copy->file->atomic ||
		vmsi_alone_admit(copy->file, (struct vmsi_page_run){
			copy->offset / page,
			(copy->offset + copy->length - 1) / page + 1 }) == 0;
}

enum outcome { COPIED, COPIED_BESIDE_LOSS, NOT_COPIED };

static enum outcome copy_locked(const struct copy *copy)
{
	enum outcome outcome = NOT_COPIED;

	vmsi_lock_acquire(&copy->file->lock);
	if (!touches_loss(copy) && may_store(copy)) {
		move_bytes(copy);
		outcome = touches_loss(copy) ? COPIED : COPIED_BESIDE_LOSS;
	}
	vmsi_lock_release(&copy->file->lock);
	return outcome;
}

/* Something of the file is lost, or was while this copied before. */
static int copy_beside_losses(const struct copy *copy)
{
	struct vms_file_access access;
	enum outcome outcome;
	int error;

	if (vms_file_begin_access(copy->file, &access) != 0)
		return -errno;
	outcome = copy_locked(copy);
	error = end_with(&access);
	if (outcome == NOT_COPIED)
		return why_lost(copy);
	return outcome == COPIED ? error : 0;
}

static int copy_mapped(const struct copy *copy)
{
	struct vms_file_access access;
	bool whole;

	if (vms_file_begin_access(copy->file, &access) != 0)
		return -errno;
	whole = access.losses == atomic_load(&copy->file->losses.count);
	if (whole)
		move_bytes(copy);
	if (end_with(&access) == 0 && whole)
		return 0;
	return copy_beside_losses(copy);
}

/* The file may have become shorter since the range was checked. */
static int copy_in_file(const struct copy *copy)
{
	int error = -ERANGE;

	vmsi_sizing_begin_copy(copy->file);
	if (vmsi_file_covers(copy->file, copy->offset, copy->length))
		error = copy_mapped(copy);
	vmsi_sizing_end_copy(copy->file);
	return error;
}

/*
 * Whether what lies behind the copy in the last page may be past the end of the file,
 * which no fault tells. Of an atomic file the end is that of its commits.
 */
static bool may_be_past_end(const struct copy *copy)
{
	const struct vms_file *file = copy->file;

	if (file->atomic || atomic_load(&file->sized))
		return false;
	if (copy->direction == COPY_IN)
		return !vmsi_file_has(file, VMS_FILE_PRIVATE);
	return ((const char *)copy->bytes)[copy->length - 1] == 0;
}

static int check_end(const struct copy *copy)
{
	uint64_t size;
	int error;

	if (!may_be_past_end(copy))
		return 0;
	error = vmsi_descriptor_look(copy->file, &size);
	if (error)
		return error;
	return size < copy->offset + copy->length ? -ENXIO : 0;
}

/* A file that only has windows is read and written by system calls. */
static int copy_by_calls(const struct copy *copy)
{
	size_t got;
	int error = vmsi_descriptor_look(copy->file, NULL);

	if (error)
		return error;
	if (copy->direction == COPY_IN)
		return vmsi_disk_write(copy->file->fd, copy->bytes,
				       copy->length, copy->offset);
	error = vmsi_disk_read(copy->file->fd, copy->bytes, copy->length,
			       copy->offset, &got);
	return !error && got < copy->length ? -ENXIO : error;
}

static int check(const struct copy *copy)
{
	if (copy->direction == COPY_IN &&
	    vmsi_file_has(copy->file, VMS_FILE_READ_ONLY))
		return -EBADF;
	return vmsi_file_reach(copy->file, copy->offset, copy->length);
}

/*
 * What is copied into an atomic file is told: before, since the dirty limit may refuse
 * it, and after, since a commit of another thread may have come in between.
 */
static int tell(const struct copy *copy)
{
	if (copy->direction == COPY_OUT || !copy->file->atomic)
		return 0;
	return vms_file_will_write(copy->file, copy->offset, copy->length) == 0 ?
		0 : -errno;
}

static int run_checked(const struct copy *copy)
{
	int error = check(copy);

	if (!error && copy->length)
		error = tell(copy);
	if (error || copy->length == 0)
		return error;
	error = copy->file->base ? copy_in_file(copy) : copy_by_calls(copy);
	if (!error && copy->file->base)
		error = check_end(copy);
	return error ? error : tell(copy);
}

/*
 * An access of a reader lets the file be as the latest commit has it: its size is known
 * from then on, and stays until the end.
 */
static int run_in_access(const struct copy *copy)
{
	struct vms_file_access access;
	int error;

	if (vms_file_begin_access(copy->file, &access) != 0)
		return -errno;
	error = run_checked(copy);
	/* Losses elsewhere are not the copy's. */
	(void)end_with(&access);
	return error;
}

static int run(const struct copy *copy)
{
	const int earlier = errno;
	const int error = vmsi_file_reads_commits(copy->file) &&
		copy->direction == COPY_OUT ? run_in_access(copy) :
		run_checked(copy);

	errno = earlier;
	return vmsi_status(error);
}

int vms_file_copy_out(vms_file *file, uint64_t offset, void *bytes, size_t length)
{
	return run(&(struct copy){ file, offset, length, bytes, COPY_OUT });
}

int vms_file_copy_in(vms_file *file, uint64_t offset, const void *bytes,
		     size_t length)
{
	return run(&(struct copy){ file, offset, length, (void *)bytes,
				   COPY_IN });
}
