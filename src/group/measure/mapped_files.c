/* SPDX-License-Identifier: MIT */
#include "group/measure/mapped_files.h"

#include "group/measure/shared.h"
#include "group/pages.h"
#include "group/process/group.h"
#include "group/process/maps.h"
#include "group/process/proc.h"

/*
 * Files in memory that are mapped already, and that a call makes writable or
 * longer, or moves.
 */

/*
 * The file of a mapping; NULL: not a file in memory that the group has mapped.
 */
static struct vmsi_memory_file *file_of(struct vms_group *group,
					const struct vmsi_maps_line *mapping)
{
	return mapping->is_shared ?
		vmsi_memory_files_find(&group->shared->files, mapping->device,
				       mapping->inode) : NULL;
}

/*
 * /proc/PID/maps does not tell a MAP_NORESERVE mapping from others. Where the policy
 * charges no such mapping, nothing is counted before its pages are touched.
 */
static bool are_there_any(const struct vms_group *group)
{
	return group->shared->files.count > 0 && group->counts_noreserve;
}

static struct vmsi_file_part part_of(const struct vmsi_memory_file *file,
				     uint64_t start, uint64_t end)
{
	struct vmsi_file_part part = {
		.device = file->device, .inode = file->inode,
		.size = file->size, .start = start,
		.end = end < file->size ? end : file->size,
	};

	/* A range behind the end of the file has nothing of it. */
	if (part.start > part.end)
		part.start = part.end;
	return part;
}

/* --- made writable -------------------------------------------------------- */

static bool continues(const struct vmsi_maps_line *one,
		      const struct vmsi_maps_line *next)
{
	return next->is_shared && next->start == one->end &&
		next->device == one->device && next->inode == one->inode &&
		next->offset == one->offset + (one->end - one->start);
}

bool vmsi_mapped_files_range(struct vms_group *group, pid_t thread,
			     uintptr_t start, uintptr_t end,
			     struct vmsi_file_part *part)
{
	struct vmsi_maps_line mapping, next;
	struct vmsi_memory_file *file;
	uint64_t offset;

	if (!are_there_any(group) ||
	    !vmsi_maps_find(thread, start, &mapping))
		return false;
	file = file_of(group, &mapping);
	if (!file)
		return false;
	offset = mapping.offset + (start - mapping.start);
	while (mapping.end < end) {
		if (!vmsi_maps_find(thread, mapping.end, &next) ||
		    !continues(&mapping, &next))
			return false;
		mapping = next;
	}
	/* If nobody has opened the file for writing, the kernel refuses. */
	if (!file->may_write)
		return false;
	*part = part_of(file, offset, offset + (end - start));
	return true;
}

/* --- made longer, or moved ------------------------------------------------ */

/* Read the size of a file again, by any descriptor that the thread has of it. */
static void update_size(struct vmsi_memory_file *file, pid_t thread)
{
	struct vmsi_proc_file found;

	if (vmsi_proc_find_file(thread, file->device, file->inode, &found))
		file->size = vmsi_pages(found.size);
}

bool vmsi_mapped_files_moved(struct vms_group *group, pid_t thread,
			     uintptr_t address, size_t length,
			     struct vmsi_file_part *part)
{
	struct vmsi_maps_line mapping;
	struct vmsi_memory_file *file;
	uint64_t offset;

	if (!are_there_any(group) ||
	    !vmsi_maps_find(thread, address, &mapping) ||
	    !mapping.is_writable)
		return false;
	file = file_of(group, &mapping);
	if (!file)
		return false;
	offset = mapping.offset + (address - mapping.start);
	/*
	 * A program that makes a mapping longer has often made its file longer,
	 * too.
	 */
	if (offset + length > file->size)
		update_size(file, thread);
	*part = part_of(file, offset, offset + length);
	return true;
}
