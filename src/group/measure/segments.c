/* SPDX-License-Identifier: MIT */
#include "group/measure/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>

#include "group/measure/shared_objects.h"
#include "group/process/group.h"

/*
 * Segments of System V outlive their processes. Those that a process has
 * attached are objects among its mappings; /proc/sysvipc/shm lists the others
 * as well.
 */

struct segment {
	long key;
	uint64_t id;
	size_t size;
	pid_t creator;
};

/* "KEY ID RIGHTS SIZE CREATOR ..." */
static bool parse(const char *line, struct segment *segment)
{
	char *at;

	segment->key = strtol(line, &at, 10);
	segment->id = strtoull(at, &at, 10);
	(void)strtoul(at, &at, 8);
	segment->size = strtoull(at, &at, 10);
	segment->creator = (pid_t)strtol(at, &at, 10);
	return segment->creator > 0;
}

/* Read the next segment of the list; false: there is no more. */
static bool next_segment(FILE *list, struct segment *segment)
{
	char line[512];

	while (list && fgets(line, sizeof line, list))
		if (parse(line, segment))
			return true;
	return false;
}

static FILE *open_list(void)
{
	return fopen("/proc/sysvipc/shm", "re");
}

static void close_list(FILE *list)
{
	if (list)
		fclose(list);
}

static bool is_attached(const struct vmsi_shared_objects *objects, uint64_t id)
{
	for (size_t i = 0; i < objects->count; i++)
		if (objects->list[i].is_segment &&
		    objects->list[i].inode == id)
			return true;
	return false;
}

size_t vmsi_segments_detached(const struct vms_group *group,
			      const struct vmsi_shared_objects *objects)
{
	FILE *list = open_list();
	struct segment segment;
	size_t bytes = 0;

	while (next_segment(list, &segment))
		if (vmsi_process_is_known(group, segment.creator) &&
		    !is_attached(objects, segment.id))
			bytes += segment.size;
	close_list(list);
	return bytes;
}

bool vmsi_segment_exists(key_t key)
{
	FILE *list = key == IPC_PRIVATE ? NULL : open_list();
	struct segment segment;
	bool found = false;

	while (!found && next_segment(list, &segment))
		found = segment.key == key;
	close_list(list);
	return found;
}
