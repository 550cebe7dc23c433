/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_GROW_H
#define VMSI_FILE_GROW_H

#include <stdint.h>

#include "file/file.h"

/*
 * The size of a shared and of a private file. Each returns 0 or -errno, and is
 * called with the file's lock; the size is as before after a failure.
 */

/*
 * Add bytes at the end of a shared file; NULL: zeros. *start: where they begin.
 * A failure takes back what was written in part; where another process was seen to add
 * something, zeros stay in its place.
 */
int vmsi_shared_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *start);
int vmsi_shared_resize(struct vms_file *file, uint64_t size);

/*
 * Of a private file: its view alone, the file itself stays. -ENOMEM is final only
 * after vmsi_ask_to_give_back, without the lock.
 */
int vmsi_private_resize(struct vms_file *file, uint64_t size);

static inline void vmsi_set_size(struct vms_file *file, uint64_t size)
{
	atomic_store_explicit(&file->size, size, memory_order_release);
}

#endif
