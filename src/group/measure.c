/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vmspace/process.h>

/*
 * What the kernel has charged, read from the mappings of a process: those that
 * it marks as accounted, and what it counts without marking. Private memory is
 * the process's own; shared memory belongs to its object, once in the group.
 */

static bool counts_noreserve(const struct vms_group *group)
{
	return group->options.policy == VMS_COMMIT_STRICT &&
		!(group->options.flags & VMS_GROUP_NORESERVE_FREE);
}

static size_t charge_of(const struct vms_group *group,
			const struct vms_mapping_info *mapping)
{
	if (mapping->flags & VMS_MAPPING_SHARED)
		return 0;
	if ((mapping->flags & VMS_MAPPING_NORESERVE) &&
	    (mapping->prot & PROT_WRITE) && counts_noreserve(group))
		return mapping->length;
	return mapping->committed;
}

/* --- shared objects ----------------------------------------------------- */

static bool is_in_memory(const struct vms_mapping_info *mapping)
{
	return strncmp(mapping->path, "/memfd:", 7) == 0 ||
		strncmp(mapping->path, "/dev/shm/", 9) == 0;
}

/* Anonymous objects are charged whole, files of tmpfs by the page. */
static size_t object_bytes(const struct vms_mapping_info *mapping)
{
	if (mapping->flags & VMS_MAPPING_HUGETLB)
		return 0;
	if (mapping->flags & VMS_MAPPING_ANONYMOUS)
		return (size_t)mapping->offset + mapping->length;
	return is_in_memory(mapping) ? mapping->resident : 0;
}

static void add_object(struct vmsi_objects *objects,
		       const struct vms_mapping_info *mapping)
{
	size_t bytes = object_bytes(mapping);

	if (bytes == 0)
		return;
	for (size_t i = 0; i < objects->count; i++) {
		struct vmsi_object *object = &objects->list[i];

		if (object->device == mapping->device &&
		    object->inode == mapping->inode) {
			if (object->bytes < bytes)
				object->bytes = bytes;
			return;
		}
	}
	if (objects->count == objects->room) {
		size_t room = objects->room ? 2 * objects->room : 64;
		struct vmsi_object *list = reallocarray(objects->list, room,
							sizeof *list);

		if (!list)
			return;
		objects->list = list;
		objects->room = room;
	}
	objects->list[objects->count++] = (struct vmsi_object){
		mapping->device, mapping->inode, bytes };
}

void vmsi_objects_free(struct vmsi_objects *objects)
{
	free(objects->list);
	*objects = (struct vmsi_objects){ NULL, 0, 0 };
}

static bool has_inode(const struct vmsi_objects *objects, uint64_t inode)
{
	for (size_t i = 0; i < objects->count; i++)
		if (objects->list[i].inode == inode)
			return true;
	return false;
}

static bool is_known(const struct vms_group *group, pid_t pid)
{
	const struct vmsi_process *ended = group->ended;

	if (vmsi_process_find((struct vms_group *)group, pid))
		return true;
	while (ended && ended->pid != pid)
		ended = ended->next;
	return ended != NULL;
}

/* System V segments outlive their processes; attached ones are objects. */
static size_t detached_segments(const struct vms_group *group,
				const struct vmsi_objects *objects)
{
	FILE *file = fopen("/proc/sysvipc/shm", "re");
	size_t sum = 0, size;
	char line[512];
	unsigned long id;
	int creator;

	if (!file)
		return 0;
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "%*d %lu %*o %zu %d", &id, &size,
			   &creator) == 3 &&
		    is_known(group, (pid_t)creator) && !has_inode(objects, id))
			sum += size;
	fclose(file);
	return sum;
}

size_t vmsi_objects_bytes(const struct vms_group *group,
			  struct vmsi_objects *objects)
{
	size_t sum = group->made_segments ? detached_segments(group, objects) :
					    0;

	for (size_t i = 0; i < objects->count; i++)
		sum += objects->list[i].bytes;
	return sum;
}

/* --- processes ---------------------------------------------------------- */

/* Where a heap of brk would begin: the 47th field of /proc/PID/stat. */
static uintptr_t heap_start(pid_t thread)
{
	char path[40], text[1024], *at;
	size_t length;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = '\0';
	/* The name, in brackets, may have anything in it. */
	at = strrchr(text, ')');
	for (int field = 2; at && field < 47; field++)
		at = strchr(at + 1, ' ');
	return at ? (uintptr_t)strtoull(at, NULL, 10) : 0;
}

/*
 * Its own file, so that it is known by its name. That of musl is the C library
 * too, and asks for memory as long as the program runs.
 */
static bool is_loader(const struct vms_mapping_info *mapping)
{
	const char *slash = strrchr(mapping->path, '/');

	return slash && strncmp(slash, "/ld-", 4) == 0 &&
		strncmp(slash, "/ld-musl", 8) != 0 && strstr(slash, ".so");
}

static void note_loader(struct vmsi_measure *measure,
			const struct vms_mapping_info *mapping)
{
	if (!measure->loader_start)
		measure->loader_start = mapping->start;
	measure->loader_end = mapping->start + mapping->length;
}

int vmsi_measure_process(const struct vms_group *group, pid_t thread,
			 struct vmsi_measure *measure,
			 struct vmsi_objects *objects)
{
	struct vms_mapping_info mapping = { .struct_size = sizeof mapping };
	vms_process_maps *maps = vms_process_maps_open(thread);
	int got;

	if (!maps)
		return -errno;
	*measure = (struct vmsi_measure){ .committed = 0 };
	while ((got = vms_process_maps_next(maps, &mapping)) == 1) {
		measure->committed += charge_of(group, &mapping);
		if (strcmp(mapping.name, "[heap]") == 0)
			measure->data_end = mapping.start + mapping.length;
		if (is_loader(&mapping))
			note_loader(measure, &mapping);
		if (objects && (mapping.flags & VMS_MAPPING_SHARED))
			add_object(objects, &mapping);
	}
	got = got < 0 ? -errno : 0;
	vms_process_maps_close(maps);
	if (!got && !measure->data_end)
		measure->data_end = heap_start(thread);
	return got;
}

static size_t overlap(const struct vms_mapping_info *mapping, uintptr_t start,
		      uintptr_t end)
{
	uintptr_t from = mapping->start, to = from + mapping->length;

	if (from < start)
		from = start;
	if (to > end)
		to = end;
	return from < to ? to - from : 0;
}

int vmsi_measure_range(pid_t thread, uintptr_t start, uintptr_t end,
		       size_t *private, size_t *charged)
{
	struct vms_mapping_info mapping = { .struct_size = sizeof mapping };
	vms_process_maps *maps = vms_process_maps_open(thread);
	int got;

	if (!maps)
		return -errno;
	*private = *charged = 0;
	while ((got = vms_process_maps_next(maps, &mapping)) == 1 &&
	       mapping.start < end) {
		size_t bytes = overlap(&mapping, start, end);

		if (mapping.flags & VMS_MAPPING_SHARED)
			continue;
		*private += bytes;
		if (mapping.committed)
			*charged += bytes;
	}
	got = got < 0 ? -errno : 0;
	vms_process_maps_close(maps);
	return got;
}
