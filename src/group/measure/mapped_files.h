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
 * What mprotect of a range makes writable of a file in memory. Returns false
 * where it is, or may be, something else.
 */
bool vmsi_mapped_files_range(struct vms_group *group, pid_t thread,
			     uintptr_t start, uintptr_t end,
			     struct vmsi_file_part *part);

/*
 * What of a file in memory is mapped when mremap has made the writable mapping
 * of an address so long. Returns false where it is something else.
 */
bool vmsi_mapped_files_moved(struct vms_group *group, pid_t thread,
			     uintptr_t address, size_t length,
			     struct vmsi_file_part *part);

#endif
