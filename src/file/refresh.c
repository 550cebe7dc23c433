/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "file/descriptor.h"
#include "file/gather.h"
#include "file/grow.h"
#include "host/disk.h"
#include "space/inside.h"

/* Seeing what others have done to a file. */

/*
 * A private file is mapped as far as it was long at most: where the file has become
 * shorter, it stays mapped, so that an access that has begun meets an end of file
 * and no hole.
 */
static int follow_private(struct vms_file *file, uint64_t size)
{
	return file->sized ? 0 :
		vmsi_base_map(file, vmsi_page_end(size), VMSI_BASE_FILE);
}

/* The size as far as there are addresses; -EFBIG where the file is longer. */
static int follow_size(struct vms_file *file)
{
	uint64_t true_size = 0;
	uint64_t size;
	int error = vmsi_disk_size(file->fd, &true_size);

	if (error)
		return error;
	size = vmsi_min(true_size, file->maximum);
	if (vmsi_file_has(file, VMS_FILE_PRIVATE))
		error = follow_private(file, size);
	if (error)
		return error;
	file->others_append |= size > file->size;
	if (!file->sized)
		vmsi_set_size(file, size);
	return true_size > size ? -EFBIG : 0;
}

/*
 * The size of an atomic file is that of its commits: nobody else changes it. A commit that
 * is under way changes the home file, and has looked itself.
 */
static int check_home(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	if (!vmsi_lock_try(&atomic->committing))
		return 0;
	error = vmsi_journal_check_home(&atomic->journal);
	vmsi_lock_release(&atomic->committing);
	return error;
}

static int refresh_with_lock(struct vms_file *file)
{
	int error = file->atomic ? check_home(file) : 0;
	int mended;

	vmsi_lock_acquire(&file->lock);
	if (!error)
		error = vmsi_gather_write_out(file);
	if (!error && !file->atomic)
		error = follow_size(file);
	mended = error && error != -EFBIG ? 0 : vmsi_losses_mend(file);
	vmsi_lock_release(&file->lock);
	return mended ? mended : error;
}

/* With READING, so that what is mapped again is what the access has. */
static int refresh_reader(struct vms_file *file)
{
	int error = vmsi_atomic_begin_refresh(file);

	if (error)
		return error;
	vmsi_lock_acquire(&file->lock);
	error = vmsi_losses_mend(file);
	vmsi_lock_release(&file->lock);
	vmsi_atomic_end_access(file);
	return error;
}

static int refresh(struct vms_file *file)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	if (!file)
		return -EINVAL;
	error = vmsi_descriptor_look(file, NULL);
	if (error)
		return error;
	do
		error = vmsi_file_reads_commits(file) ? refresh_reader(file) :
			refresh_with_lock(file);
	while (vmsi_try_again(file->space, error, &attempts));
	return error;
}

int vms_file_refresh(vms_file *file)
{
	return vmsi_status(refresh(file));
}
