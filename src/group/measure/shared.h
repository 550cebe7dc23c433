/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_SHARED_H
#define VMSI_GROUP_MEASURE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/measure/memory_files.h"

struct vms_group;
struct vmsi_shared_objects;

/* What a group knows of the memory that its processes share. */
struct vmsi_shared {
	struct vmsi_memory_files files; /* files in memory, and what of each counts */
	bool maps_pages;               /* a process maps files whose pages are
					* charged when they are touched */
	bool made_segments;            /* a process has called shmget(2) */
	uint64_t *tmpfs;               /* the devices of mounted tmpfs */
	size_t tmpfs_count, tmpfs_capacity;
};

void vmsi_shared_free(struct vmsi_shared *shared);

/* --- tmpfs.c: file systems in memory -------------------------------------- */

/* Note those that the supervisor sees mounted, and the one of all memfds. */
void vmsi_tmpfs_read(struct vmsi_shared *shared);

/* Whether a device is one of those noted. */
bool vmsi_tmpfs_has(const struct vmsi_shared *shared, uint64_t device);

/* Note those that a thread sees mounted now; returns vmsi_tmpfs_has. */
bool vmsi_tmpfs_learn(struct vmsi_shared *shared, pid_t thread,
		      uint64_t device);

/* --- segments.c: System V ------------------------------------------------- */

/* Bytes of segments that the group has made and no process has attached. */
size_t vmsi_segments_detached(const struct vms_group *group,
			      const struct vmsi_shared_objects *objects);

bool vmsi_segment_exists(key_t key);

#endif
