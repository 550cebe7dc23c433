/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_MEMORY_FILES_H
#define VMSI_GROUP_MEASURE_MEMORY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group/measure/ranges.h"

/*
 * Files in memory (memfds, tmpfs) that the group has mapped shared. What of such
 * a file was within its size when it was mapped writable counts from then on,
 * touched or not, once for all who map it; only a look takes it away, when
 * nobody has it mapped writable any more.
 */
struct vmsi_memory_files {
	struct vmsi_memory_file {
		uint64_t device, inode;
		uint64_t size;               /* when it was last asked for */
		struct vmsi_ranges counted;  /* of the group's sum, at most */
		bool may_write;              /* as it was opened by any */
		bool is_mapped;              /* while a look is made of */
	} *list;                             /* by device and inode, ascending */
	size_t count, room;
};

/* What a request would have counted of a file; empty: of none. */
struct vmsi_file_part {
	uint64_t device, inode;
	uint64_t size;                       /* of the file */
	uint64_t start, end;                 /* offsets; end is exclusive */
};

/* Whether a path is usual for files in memory. */
bool vmsi_is_in_memory(const char *path);

/* NULL: the group has not mapped it. */
struct vmsi_memory_file *
vmsi_memory_files_find(const struct vmsi_memory_files *files, uint64_t device,
		       uint64_t inode);

/* A file is about to be mapped; its size is now known. NULL: no memory. */
struct vmsi_memory_file *vmsi_memory_files_note(struct vmsi_memory_files *files,
						uint64_t device, uint64_t inode,
						uint64_t size);

/* Bytes of a part that do not count yet. */
size_t vmsi_memory_files_missing(const struct vmsi_memory_files *files,
				 const struct vmsi_file_part *part);

/* A part counts from now on. Without memory it counts until the next look. */
void vmsi_memory_files_count(struct vmsi_memory_files *files,
			     const struct vmsi_file_part *part);

void vmsi_memory_files_free(struct vmsi_memory_files *files);

#endif
