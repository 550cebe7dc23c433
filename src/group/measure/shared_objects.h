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
 * While calls are under way that may map files in memory, nobody can tell what of them
 * will be mapped: all that counts is added, as if it were mapped now.
 */
void vmsi_shared_objects_keep(const struct vms_group *group,
			      struct vmsi_shared_objects *objects);

/*
 * What the objects have charged, and segments that nobody has attached; bytes.
 */
size_t vmsi_shared_objects_bytes(const struct vms_group *group,
				 struct vmsi_shared_objects *objects);

/*
 * At the end of a look: of files in memory nothing but what the objects have mapped
 * writable counts from now on. Moves the ranges out of the objects.
 */
void vmsi_shared_objects_apply(struct vms_group *group,
			       struct vmsi_shared_objects *objects);

void vmsi_shared_objects_free(struct vmsi_shared_objects *objects);

#endif
