/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_WRITE_ERROR_H
#define VMSI_FILE_WRITE_ERROR_H

#include <errno.h>

#include "file/file.h"

/* The kernel tells once that pages could not be written: 0 or -errno here. */

static inline bool vmsi_is_write_error(int error)
{
	return error == -EIO || error == -ENOSPC || error == -EDQUOT;
}

/* What an internal call was told is kept for the next vms_file_sync or _close. */
static inline void vmsi_write_error_keep(struct vms_file *file, int error)
{
	atomic_store(&file->write_error, -error);
}

/* What was kept; it is kept no longer. */
static inline int vmsi_write_error_take(struct vms_file *file)
{
	return -atomic_exchange(&file->write_error, 0);
}

#endif
