/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_OBJECTS_H
#define VMSI_CLI_OBJECTS_H

#include "cli/commit/audit.h"
#include "cli/sight/process.h"

/*
 * Shared memory that processes have: each piece is an inode of the kernel's own
 * tmpfs, however many map it or have it open.
 */

struct vmsi_commit_object {
	uint64_t device, inode;
	enum vmsi_shared_kind kind;
	uint64_t charged;   /* bytes: its size, or what is written to */
	uint64_t allocated; /* bytes that are written to */
};

struct vmsi_commit_objects {
	struct vmsi_commit_object *list;
	size_t count, capacity;
	uint64_t device; /* of the kernel's own tmpfs */
};

/* All return 0 or -errno. */
int vmsi_commit_objects_begin(struct vmsi_commit_objects *objects);
/* Add what a process has mapped; its mappings were kept, with pages. */
int vmsi_commit_objects_add_mapped(struct vmsi_commit_objects *objects,
			    const struct vmsi_process *process);
/* Add what a process has open. What cannot be read is left out. */
int vmsi_commit_objects_add_open(struct vmsi_commit_objects *objects, pid_t pid);
/* Add segments of System V, attached or not. */
int vmsi_commit_objects_add_segments(struct vmsi_commit_objects *objects);
/* Leave one of each. */
void vmsi_commit_objects_unite(struct vmsi_commit_objects *objects);
void vmsi_commit_objects_free(struct vmsi_commit_objects *objects);

/* The bytes in use of each tmpfs that is mounted here. */
uint64_t vmsi_tmpfs_used(void);

#endif
