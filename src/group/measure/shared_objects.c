/* SPDX-License-Identifier: MIT */
#include "group/measure/shared_objects.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/array.h"
#include "group/measure/shared.h"
#include "group/process/group.h"

static bool is_charged_by_page(const struct vms_group *group,
			       const struct vms_mapping_info *mapping)
{
	if (mapping->flags & VMS_MAPPING_ANONYMOUS)
		return (mapping->flags & VMS_MAPPING_NORESERVE) &&
			!group->counts_noreserve;
	return vmsi_is_in_memory(mapping->path) ||
		vmsi_tmpfs_has(group->shared, mapping->device);
}

/* Anonymous objects are charged whole, at least as far as they are mapped. */
static size_t whole_bytes(const struct vms_mapping_info *mapping)
{
	return mapping->flags & VMS_MAPPING_ANONYMOUS ?
		(size_t)mapping->offset + mapping->length : 0;
}

/*
 * Segments of System V have the device of memfds, but their inodes are the
 * numbers of the segments, so a memfd may have the same ones.
 */
static bool is_segment(const struct vms_mapping_info *mapping)
{
	return (mapping->flags & VMS_MAPPING_ANONYMOUS) &&
		strncmp(mapping->name, "/SYSV", 5) == 0;
}

static struct vmsi_shared_object *find(const struct vmsi_shared_objects *objects,
				const struct vmsi_shared_object *like)
{
	for (size_t i = 0; i < objects->count; i++) {
		struct vmsi_shared_object *object = &objects->list[i];

		if (object->device == like->device &&
		    object->inode == like->inode &&
		    object->is_segment == like->is_segment)
			return object;
	}
	return NULL;
}

/* NULL: no memory. */
static struct vmsi_shared_object *get(struct vmsi_shared_objects *objects,
			       const struct vmsi_shared_object *like)
{
	struct vmsi_shared_object *object = find(objects, like);
	struct vmsi_shared_object *list;

	if (object)
		return object;
	list = vmsi_with_capacity(objects->list, objects->count, &objects->capacity,
			      sizeof *list);
	if (!list)
		return NULL;
	objects->list = list;
	object = &list[objects->count++];
	*object = *like;
	return object;
}

/* --- files in memory ------------------------------------------------------ */

/*
 * The file in memory of a mapping; NULL: it has none that the group has mapped.
 */
static const struct vmsi_memory_file *
file_of(const struct vms_group *group, const struct vms_mapping_info *mapping)
{
	return mapping->flags & (VMS_MAPPING_ANONYMOUS | VMS_MAPPING_HUGETLB) ?
		NULL : vmsi_memory_files_find(&group->shared->files, mapping->device,
					      mapping->inode);
}

/*
 * Add what counts of the file and is mapped writable here. Returns whether that
 * is all of the mapping, so that its resident pages need not be added.
 */
static bool add_counted(struct vmsi_shared_object *object,
			const struct vmsi_memory_file *file,
			const struct vms_mapping_info *mapping)
{
	const uint64_t start = mapping->offset;
	const uint64_t end = start + mapping->length;

	if (!file || !(mapping->prot & PROT_WRITE))
		return false;
	return vmsi_ranges_add_common(&object->counted, &file->counted,
				      start, end) &&
		vmsi_ranges_within(&file->counted, start, end) ==
			mapping->length;
}

void vmsi_shared_objects_keep(const struct vms_group *group,
		       struct vmsi_shared_objects *objects)
{
	for (size_t i = 0; i < group->shared->files.count; i++) {
		const struct vmsi_memory_file *file = &group->shared->files.list[i];
		const struct vmsi_shared_object like = {
			.device = file->device, .inode = file->inode };
		struct vmsi_shared_object *object = get(objects, &like);

		if (object)
			(void)vmsi_ranges_add_common(&object->counted,
						     &file->counted, 0,
						     UINT64_MAX);
	}
}

static void forget_unmapped(struct vmsi_memory_files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->count; i++) {
		struct vmsi_memory_file *file = &files->list[i];

		if (file->is_mapped)
			files->list[kept++] = *file;
		else
			vmsi_ranges_free(&file->counted);
	}
	files->count = kept;
}

void vmsi_shared_objects_apply(struct vms_group *group,
			       struct vmsi_shared_objects *objects)
{
	for (size_t i = 0; i < group->shared->files.count; i++)
		group->shared->files.list[i].is_mapped = false;
	for (size_t i = 0; i < objects->count; i++) {
		struct vmsi_shared_object *object = &objects->list[i];
		struct vmsi_memory_file *file = object->is_segment ? NULL :
			vmsi_memory_files_find(&group->shared->files, object->device,
					       object->inode);

		if (!file)
			continue;
		vmsi_ranges_free(&file->counted);
		file->counted = object->counted;
		object->counted = (struct vmsi_ranges){ NULL, 0, 0 };
		file->is_mapped = true;
	}
	forget_unmapped(&group->shared->files);
}

/* --- all of them ---------------------------------------------------------- */

void vmsi_shared_objects_add(const struct vms_group *group,
		      struct vmsi_shared_objects *objects,
		      const struct vms_mapping_info *mapping)
{
	const bool by_page = is_charged_by_page(group, mapping);
	const bool huge = mapping->flags & VMS_MAPPING_HUGETLB;
	const size_t whole = huge || by_page ? 0 : whole_bytes(mapping);
	const size_t resident = huge || !by_page ? 0 : mapping->resident;
	const struct vmsi_memory_file *file = by_page ?
		file_of(group, mapping) : NULL;
	const struct vmsi_shared_object like = {
		.device = mapping->device, .inode = mapping->inode,
		.is_segment = is_segment(mapping),
	};
	struct vmsi_shared_object *object;

	/*
	 * A segment of huge pages is free, but must not be taken for detached.
	 */
	if (whole == 0 && resident == 0 && !like.is_segment && !file)
		return;
	object = get(objects, &like);
	if (!object)
		return;
	if (object->whole < whole)
		object->whole = whole;
	if (!add_counted(object, file, mapping))
		(void)vmsi_extents_add(&object->pages, mapping->offset,
				       mapping->length, resident);
}

static size_t object_bytes(struct vmsi_shared_object *object)
{
	size_t resident;

	for (size_t i = 0; i < object->counted.count; i++) {
		const struct vmsi_offsets *range = &object->counted.list[i];

		(void)vmsi_extents_add(&object->pages, range->start,
				       range->end - range->start,
				       (size_t)(range->end - range->start));
	}
	resident = vmsi_extents_resident(&object->pages);
	return object->whole > resident ? object->whole : resident;
}

void vmsi_shared_objects_free(struct vmsi_shared_objects *objects)
{
	for (size_t i = 0; i < objects->count; i++) {
		vmsi_extents_free(&objects->list[i].pages);
		vmsi_ranges_free(&objects->list[i].counted);
	}
	free(objects->list);
	*objects = (struct vmsi_shared_objects){ NULL, 0, 0 };
}

size_t vmsi_shared_objects_bytes(const struct vms_group *group,
			  struct vmsi_shared_objects *objects)
{
	size_t sum = group->shared->made_segments ?
		vmsi_segments_detached(group, objects) : 0;

	for (size_t i = 0; i < objects->count; i++)
		sum += object_bytes(&objects->list[i]);
	return sum;
}
