/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <stdlib.h>
#include <string.h>

/*
 * Shared objects that processes have mapped: each is charged once, whoever maps
 * it, in one piece or in many.
 */

bool vmsi_is_in_memory(const char *path)
{
	return strncmp(path, "/memfd:", 7) == 0 ||
		strncmp(path, "/dev/shm/", 9) == 0;
}

static bool is_charged_by_page(const struct vms_group *group,
			       const struct vms_mapping_info *mapping)
{
	if (mapping->flags & VMS_MAPPING_ANONYMOUS)
		return (mapping->flags & VMS_MAPPING_NORESERVE) &&
			!vmsi_counts_noreserve(&group->options);
	return vmsi_is_in_memory(mapping->path) ||
		vmsi_tmpfs_has(group, mapping->device);
}

/* Anonymous objects are charged whole; what is mapped of them tells how much. */
static size_t whole_bytes(const struct vms_mapping_info *mapping)
{
	return mapping->flags & VMS_MAPPING_ANONYMOUS ?
		(size_t)mapping->offset + mapping->length : 0;
}

/*
 * Of System V. They lie where memfds do, but their inodes are the segments'
 * numbers: another object may have the same.
 */
static bool is_segment(const struct vms_mapping_info *mapping)
{
	return (mapping->flags & VMS_MAPPING_ANONYMOUS) &&
		strncmp(mapping->name, "/SYSV", 5) == 0;
}

static struct vmsi_object *find(const struct vmsi_objects *objects,
				const struct vms_mapping_info *mapping)
{
	for (size_t i = 0; i < objects->count; i++) {
		struct vmsi_object *object = &objects->list[i];

		if (object->device == mapping->device &&
		    object->inode == mapping->inode &&
		    object->is_segment == is_segment(mapping))
			return object;
	}
	return NULL;
}

/* NULL: no memory. */
static struct vmsi_object *get(struct vmsi_objects *objects,
			       const struct vms_mapping_info *mapping)
{
	struct vmsi_object *object = find(objects, mapping);
	struct vmsi_object *list;

	if (object)
		return object;
	list = vmsi_with_room(objects->list, objects->count, &objects->room,
			      sizeof *list);
	if (!list)
		return NULL;
	objects->list = list;
	object = &list[objects->count++];
	*object = (struct vmsi_object){
		.device = mapping->device, .inode = mapping->inode,
		.is_segment = is_segment(mapping),
	};
	return object;
}

void vmsi_objects_add(const struct vms_group *group,
		      struct vmsi_objects *objects,
		      const struct vms_mapping_info *mapping)
{
	const bool by_page = is_charged_by_page(group, mapping);
	const bool huge = mapping->flags & VMS_MAPPING_HUGETLB;
	const size_t whole = huge || by_page ? 0 : whole_bytes(mapping);
	const size_t resident = huge || !by_page ? 0 : mapping->resident;
	struct vmsi_object *object;

	/* A segment of huge pages is none that is detached either. */
	if (whole == 0 && resident == 0 && !is_segment(mapping))
		return;
	object = get(objects, mapping);
	if (!object)
		return;
	if (object->whole < whole)
		object->whole = whole;
	(void)vmsi_extents_add(&object->pages, mapping->offset, mapping->length,
			       resident);
}

static size_t object_bytes(struct vmsi_object *object)
{
	const size_t resident = vmsi_extents_resident(&object->pages);

	return object->whole > resident ? object->whole : resident;
}

void vmsi_objects_free(struct vmsi_objects *objects)
{
	for (size_t i = 0; i < objects->count; i++)
		vmsi_extents_free(&objects->list[i].pages);
	free(objects->list);
	*objects = (struct vmsi_objects){ NULL, 0, 0 };
}

size_t vmsi_objects_bytes(const struct vms_group *group,
			  struct vmsi_objects *objects)
{
	size_t sum = group->made_segments ?
		vmsi_segments_detached(group, objects) : 0;

	for (size_t i = 0; i < objects->count; i++)
		sum += object_bytes(&objects->list[i]);
	return sum;
}
