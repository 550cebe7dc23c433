/* SPDX-License-Identifier: MIT */
#include "file/grow.h"

#include <errno.h>

#include "space/inside.h"
#include "file/atomic.h"
#include "file/base.h"
#include "file/gather.h"
#include "file/sizing.h"

/* The public calls that change the size; what each kind of file does is elsewhere. */

static int may_change(const struct vms_file *file)
{
	if (!file)
		return -EINVAL;
	return vmsi_file_has(file, VMS_FILE_READ_ONLY) ? -EBADF : 0;
}

static int append(struct vms_file *file, const void *bytes, size_t length,
		  uint64_t *start)
{
	int error = may_change(file);

	if (!error && vmsi_file_has(file, VMS_FILE_PRIVATE))
		error = -EINVAL;
	if (error)
		return error;
	if (file->atomic)
		return vmsi_atomic_append(file, bytes, length, start);
	vmsi_lock_acquire(&file->lock);
	error = vmsi_file_has(file, VMS_FILE_GATHERS) ?
		vmsi_gather_append(file, bytes, length, start) :
		vmsi_shared_append(file, bytes, length, start);
	vmsi_lock_release(&file->lock);
	return error;
}

int vms_file_append(vms_file *file, const void *bytes, size_t length,
		    uint64_t *offset)
{
	uint64_t start = 0;
	int error = append(file, bytes, length, &start);

	if (!error && offset)
		*offset = start;
	return vmsi_status(error);
}

static int resize_with_lock(struct vms_file *file, uint64_t size)
{
	int error;

	vmsi_lock_acquire(&file->lock);
	error = vmsi_gather_write_out(file);
	if (!error)
		error = vmsi_file_has(file, VMS_FILE_PRIVATE) ?
			vmsi_private_resize(file, size) :
			vmsi_shared_resize(file, size);
	vmsi_lock_release(&file->lock);
	return error;
}

static int resize(struct vms_file *file, uint64_t size)
{
	struct vmsi_attempts attempts = { 0 };
	int error = may_change(file);

	if (error)
		return error;
	if (size > file->maximum)
		return -EFBIG;
	do {
		vmsi_sizing_begin(file);
		error = file->atomic ? vmsi_atomic_resize(file, size) :
			resize_with_lock(file, size);
		vmsi_sizing_end(file);
	} while (!file->atomic && vmsi_try_again(file->space, error, &attempts));
	return error;
}

int vms_file_resize(vms_file *file, uint64_t size)
{
	return vmsi_status(resize(file, size));
}
