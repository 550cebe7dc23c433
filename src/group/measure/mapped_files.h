/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_MAPPED_FILES_H
#define VMSI_GROUP_MEASURE_MAPPED_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/measure/memory_files.h"

struct vms_group;

/*
 * The part of a file in memory that an mprotect of a range makes writable.
 * Returns false where the range is not, or not surely, of one file in memory.
 */
bool vmsi_mapped_files_range(struct vms_group *group, pid_t thread,
			     uintptr_t start, uintptr_t end,
			     struct vmsi_file_part *part);

/*
 * The part of a file in memory that is mapped after mremap has made the
 * writable mapping of an address so long. Returns false where it is not of a
 * file in memory.
 */
bool vmsi_mapped_files_moved(struct vms_group *group, pid_t thread,
			     uintptr_t address, size_t length,
			     struct vmsi_file_part *part);

#endif
