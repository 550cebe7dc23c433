/* SPDX-License-Identifier: MIT */
#include "group/measure/memory_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

bool vmsi_is_in_memory(const char *path)
{
	return strncmp(path, "/memfd:", 7) == 0 ||
		strncmp(path, "/dev/shm/", 9) == 0;
}

static bool is_before(const struct vmsi_memory_file *file, uint64_t device,
		      uint64_t inode)
{
	return file->device != device ? file->device < device :
					file->inode < inode;
}

/* Where a file is in the list, or would be put. */
static size_t place_of(const struct vmsi_memory_files *files, uint64_t device,
		       uint64_t inode)
{
	size_t low = 0, high = files->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (is_before(&files->list[middle], device, inode))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct vmsi_memory_file *
vmsi_memory_files_find(const struct vmsi_memory_files *files, uint64_t device,
		       uint64_t inode)
{
	const size_t place = place_of(files, device, inode);

	return place < files->count && files->list[place].device == device &&
		files->list[place].inode == inode ? &files->list[place] : NULL;
}

static bool enlarge(struct vmsi_memory_files *files)
{
	void *list = vmsi_with_capacity(files->list, files->count, &files->capacity,
				    sizeof *files->list);

	if (list)
		files->list = list;
	return list != NULL;
}

struct vmsi_memory_file *vmsi_memory_files_note(struct vmsi_memory_files *files,
						uint64_t device, uint64_t inode,
						uint64_t size)
{
	struct vmsi_memory_file *file =
		vmsi_memory_files_find(files, device, inode);
	size_t place;

	if (file) {
		file->size = size;
		return file;
	}
	if (!enlarge(files))
		return NULL;
	place = place_of(files, device, inode);
	file = &files->list[place];
	memmove(file + 1, file, (files->count - place) * sizeof *file);
	files->count++;
	*file = (struct vmsi_memory_file){
		.device = device, .inode = inode, .size = size,
	};
	return file;
}

size_t vmsi_memory_files_missing(const struct vmsi_memory_files *files,
				 const struct vmsi_file_part *part)
{
	const struct vmsi_memory_file *file =
		vmsi_memory_files_find(files, part->device, part->inode);
	const uint64_t counted = file ?
		vmsi_ranges_within(&file->counted, part->start, part->end) : 0;

	return (size_t)(part->end - part->start - counted);
}

void vmsi_memory_files_count(struct vmsi_memory_files *files,
			     const struct vmsi_file_part *part)
{
	struct vmsi_memory_file *file =
		vmsi_memory_files_find(files, part->device, part->inode);

	/*
	 * A look that was made for this very request may have dropped the file.
	 */
	if (!file)
		file = vmsi_memory_files_note(files, part->device, part->inode,
					      part->size);
	if (file)
		(void)vmsi_ranges_add(&file->counted, part->start, part->end);
}

void vmsi_memory_files_free(struct vmsi_memory_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		vmsi_ranges_free(&files->list[i].counted);
	free(files->list);
	*files = (struct vmsi_memory_files){ NULL, 0, 0 };
}
