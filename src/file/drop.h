/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_DROP_H
#define VMSI_FILE_DROP_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

struct vms_file;

/* Letting pages go from memory, by what they are. Each returns 0 or -errno. */

/* Of memory that is in no file; whole pages. */
int vmsi_drop_private(struct vmsi_range range);

/* Of the file, all that have a byte of a range. */
int vmsi_drop_shared(const struct vms_file *file, uint64_t offset, size_t length);

#endif
