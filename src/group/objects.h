/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_OBJECTS_H
#define VMSI_GROUP_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/list.h>

#include "group/extents.h"
#include "group/ranges.h"

struct vms_group;

/* --- objects.c: what processes share ------------------------------------ */

struct vmsi_objects {
	struct vmsi_object {
		uint64_t device, inode;
		size_t whole;          /* bytes; 0: it is charged by the page */
		struct vmsi_extents pages;
		struct vmsi_ranges counted; /* see vmsi_memory_files */
		bool is_segment;       /* of System V: the inode is its number */
	} *list;
	size_t count, room;
};

/* A mapping of a process's; what is not charged is left out. */
void vmsi_objects_add(const struct vms_group *group,
		      struct vmsi_objects *objects,
		      const struct vms_mapping_info *mapping);

/* The bytes of objects; segments that no process has attached too. */
size_t vmsi_objects_bytes(const struct vms_group *group,
			  struct vmsi_objects *objects);

/* All that counts of files in memory may be about to be mapped: it stays. */
void vmsi_objects_keep(const struct vms_group *group,
		       struct vmsi_objects *objects);

/* Of files in memory, what these objects have is what counts from now on. */
void vmsi_objects_settle(struct vms_group *group, struct vmsi_objects *objects);
void vmsi_objects_free(struct vmsi_objects *objects);

/* Whether a file is one in memory, whose pages are charged. */
bool vmsi_is_in_memory(const char *path);

/* --- tmpfs.c: file systems in memory ------------------------------------ */

void vmsi_tmpfs_read(struct vms_group *group);
bool vmsi_tmpfs_has(const struct vms_group *group, uint64_t device);

/* Likewise, and among what is mounted where a thread is now. */
bool vmsi_tmpfs_learn(struct vms_group *group, pid_t thread, uint64_t device);

/* --- segments.c: of System V -------------------------------------------- */

/* Those that the group has made and no process has attached, bytes. */
size_t vmsi_segments_detached(const struct vms_group *group,
			      const struct vmsi_objects *objects);

bool vmsi_segment_exists(key_t key);

#endif
