/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_SHARED_OBJECTS_H
#define VMSI_GROUP_MEASURE_SHARED_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/list.h>

#include "group/measure/extents.h"
#include "group/measure/ranges.h"

struct vms_group;

/*
 * The objects that processes of a group have mapped, collected while one look
 * goes from process to process. Each is charged once, whoever maps it.
 */
struct vmsi_shared_objects {
	struct vmsi_shared_object {
		uint64_t device, inode;
		bool is_segment;       /* of System V: the inode is its number */
		size_t whole;          /* bytes; 0: it is charged by the page */
		struct vmsi_extents pages;
		struct vmsi_ranges counted; /* see memory_files.h */
	} *list;
	size_t count, capacity;
};

/* Add a shared mapping of a process; what is not charged is left out. */
void vmsi_shared_objects_add(const struct vms_group *group,
			     struct vmsi_shared_objects *objects,
			     const struct vms_mapping_info *mapping);

/*
 * Calls under way may map what counts of files in memory: add all of it, as if
 * it were mapped.
 */
void vmsi_shared_objects_keep(const struct vms_group *group,
			      struct vmsi_shared_objects *objects);

/*
 * What the objects have charged, and segments that nobody has attached; bytes.
 */
size_t vmsi_shared_objects_bytes(const struct vms_group *group,
				 struct vmsi_shared_objects *objects);

/*
 * The look is over: from now on of files in memory that counts which the
 * objects have mapped writable, and nothing else. Takes the ranges out of the
 * objects.
 */
void vmsi_shared_objects_apply(struct vms_group *group,
			       struct vmsi_shared_objects *objects);

void vmsi_shared_objects_free(struct vmsi_shared_objects *objects);

#endif
