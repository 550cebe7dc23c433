/* SPDX-License-Identifier: MIT */
#include "cli/commit/objects.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmspace.h>

#include "base/array.h"
#include "cli/memfds.h"

/* st_blocks is in these, whatever the file system. */
#define BLOCK 512

static int add(struct vmsi_commit_objects *objects, const struct vmsi_commit_object *object)
{
	struct vmsi_commit_object *list =
		vmsi_with_capacity(objects->list, objects->count,
				   &objects->capacity, sizeof(*list));

	if (!list)
		return -ENOMEM;
	objects->list = list;
	list[objects->count++] = *object;
	return 0;
}

int vmsi_commit_objects_begin(struct vmsi_commit_objects *objects)
{
	dev_t device = 0;
	const int error = vmsi_memfd_device(&device);

	*objects = (struct vmsi_commit_objects){ .device = device };
	return error;
}

/* --- mapped --------------------------------------------------------------- */

/* False: it belongs to no process alone, or is no such memory. */
static bool kind_of(const struct vmsi_commit_objects *objects,
		    const struct vmsi_process *process,
		    const struct vmsi_seen_mapping *mapping,
		    enum vmsi_shared_kind *kind)
{
	const struct vmsi_owner *owner = &process->owners.list[mapping->owner];

	/* Pages of hugetlb have a file system, and a pool, of their own. */
	if (mapping->device != objects->device || !mapping->inode)
		return false;
	if (owner->kind == VMSI_OWNER_MEMFD)
		*kind = VMSI_SHARED_MEMFD;
	else if (mapping->label == VMSI_LABEL_KERNEL)
		*kind = VMSI_SHARED_SYSTEM_V;
	else if (mapping->flags & VMS_MAPPING_SHARED)
		*kind = VMSI_SHARED_ANONYMOUS;
	else
		return false;
	return true;
}

/* Where the kernel does not let us ask, what is mapped must do. */
static void measure_mapped(const struct vmsi_process *process,
			   const struct vmsi_seen_mapping *mapping,
			   struct vmsi_commit_object *object)
{
	uint64_t size = mapping->offset + (mapping->end - mapping->start);
	struct stat status;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIxPTR "-%" PRIxPTR,
		 (int)process->thread, mapping->start, mapping->end);
	object->allocated = mapping->figures.of[VMSI_RESIDENT] +
		mapping->figures.of[VMSI_SWAPPED];
	if (stat(path, &status) == 0 && status.st_ino == mapping->inode &&
	    status.st_dev == mapping->device) {
		size = (uint64_t)status.st_size;
		object->allocated = (uint64_t)status.st_blocks * BLOCK;
	}
	object->charged = object->kind == VMSI_SHARED_MEMFD ||
		mapping->flags & VMS_MAPPING_NORESERVE ? object->allocated : size;
}

int vmsi_commit_objects_add_mapped(struct vmsi_commit_objects *objects,
			    const struct vmsi_process *process)
{
	int error = 0;

	for (size_t i = 0; !error && i < process->count; i++) {
		const struct vmsi_seen_mapping *mapping = &process->mappings[i];
		struct vmsi_commit_object object = {
			.device = mapping->device, .inode = mapping->inode,
		};

		if (!kind_of(objects, process, mapping, &object.kind))
			continue;
		measure_mapped(process, mapping, &object);
		error = add(objects, &object);
	}
	return error;
}

/* --- open ----------------------------------------------------------------- */

static bool is_memfd(int directory, const char *name)
{
	static const char start[] = "/memfd:";
	char target[sizeof(start)];

	return readlinkat(directory, name, target, sizeof(target)) >=
		(ssize_t)sizeof(start) - 1 &&
		memcmp(target, start, sizeof(start) - 1) == 0;
}

int vmsi_commit_objects_add_open(struct vmsi_commit_objects *objects, pid_t pid)
{
	const struct dirent *entry;
	char path[64];
	DIR *files;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	files = opendir(path);
	if (!files)
		return 0;
	while (!error && (entry = readdir(files))) {
		struct stat status;

		if (entry->d_name[0] == '.' ||
		    !is_memfd(dirfd(files), entry->d_name) ||
		    fstatat(dirfd(files), entry->d_name, &status, 0) ||
		    status.st_dev != objects->device)
			continue;
		error = add(objects, &(struct vmsi_commit_object){
			.device = status.st_dev,
			.inode = status.st_ino,
			.kind = VMSI_SHARED_MEMFD,
			.charged = (uint64_t)status.st_blocks * BLOCK,
			.allocated = (uint64_t)status.st_blocks * BLOCK,
		});
	}
	closedir(files);
	return error;
}

/* --- System V ------------------------------------------------------------- */

int vmsi_commit_objects_add_segments(struct vmsi_commit_objects *objects)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/sysvipc/shm", "re");
	char line[512];
	int error = 0;

	/* A kernel without System V. */
	if (!file)
		return 0;
	while (!error && fgets(line, sizeof(line), file)) {
		struct vmsi_commit_object object = {
			.device = objects->device, .kind = VMSI_SHARED_SYSTEM_V,
		};
		uint64_t swapped;

		/* The number of a segment is that of its inode. */
		if (sscanf(line, "%*d %" SCNu64 " %*o %" SCNu64 " %*d %*d %*d %*u "
			   "%*u %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
			   &object.inode, &object.charged, &object.allocated,
			   &swapped) != 4)
			continue;
		/* Of a segment its maker's size is told, and whole pages are charged. */
		object.charged = (object.charged + page - 1) / page * page;
		object.allocated += swapped;
		error = add(objects, &object);
	}
	fclose(file);
	return error;
}

/* --- all ------------------------------------------------------------------ */

static int compare(const void *left, const void *right)
{
	const struct vmsi_commit_object *a = left, *b = right;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return (a->inode > b->inode) - (a->inode < b->inode);
}

void vmsi_commit_objects_unite(struct vmsi_commit_objects *objects)
{
	size_t kept = 0;

	if (objects->count)
		qsort(objects->list, objects->count, sizeof(*objects->list), compare);
	for (size_t i = 0; i < objects->count; i++) {
		const struct vmsi_commit_object *next = &objects->list[i];
		struct vmsi_commit_object *last = kept ? &objects->list[kept - 1] : NULL;

		if (!last || compare(last, next) != 0) {
			objects->list[kept++] = *next;
			continue;
		}
		/* One who was not told its size has told less. */
		if (last->charged < next->charged)
			last->charged = next->charged;
		if (last->allocated < next->allocated)
			last->allocated = next->allocated;
	}
	objects->count = kept;
}

void vmsi_commit_objects_free(struct vmsi_commit_objects *objects)
{
	free(objects->list);
	*objects = (struct vmsi_commit_objects){ 0 };
}
