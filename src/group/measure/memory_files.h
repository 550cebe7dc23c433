/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_MEMORY_FILES_H
#define VMSI_GROUP_MEASURE_MEMORY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group/measure/ranges.h"

/*
 * Files in memory (memfds, tmpfs) that a group has mapped shared. The kernel
 * charges their pages when they are touched, and tells nobody. So what is mapped
 * writable counts from the call that maps it, as far as it lies within the file's
 * size then, and once for all processes: it is in `counted`. Only a look takes it
 * out, when no process has it mapped writable any more.
 */
struct vmsi_memory_files {
	struct vmsi_memory_file {
		uint64_t device, inode;
		uint64_t size;               /* when it was last asked for */
		struct vmsi_ranges counted;  /* in the group's sum */
		bool may_write;              /* some process opened it so */
		bool is_mapped;              /* was found by this look */
	} *list;                             /* by device and inode, ascending */
	size_t count, capacity;
};

/* The part of a file that a request maps writable; end 0: there is no file. */
struct vmsi_file_part {
	uint64_t device, inode;
	uint64_t size;                       /* of the file */
	uint64_t start, end;                 /* offsets; end is exclusive */
};

/* Whether a path is usual for files in memory. */
bool vmsi_is_in_memory(const char *path);

/* A file by its device and inode; NULL: the group has not mapped it. */
struct vmsi_memory_file *
vmsi_memory_files_find(const struct vmsi_memory_files *files, uint64_t device,
		       uint64_t inode);

/* A file of this size is about to be mapped. NULL: there is no memory. */
struct vmsi_memory_file *vmsi_memory_files_note(struct vmsi_memory_files *files,
						uint64_t device, uint64_t inode,
						uint64_t size);

/* How many bytes of a part do not count yet. */
size_t vmsi_memory_files_missing(const struct vmsi_memory_files *files,
				 const struct vmsi_file_part *part);

/*
 * A part of a file counts from now on. If there is no memory to note the part,
 * the next look takes it away.
 */
void vmsi_memory_files_count(struct vmsi_memory_files *files,
			     const struct vmsi_file_part *part);

void vmsi_memory_files_free(struct vmsi_memory_files *files);

#endif
