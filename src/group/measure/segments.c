/* SPDX-License-Identifier: MIT */
#include "group/measure/shared.h"

#include <stdio.h>
#include <sys/ipc.h>

#include "group/measure/shared_objects.h"
#include "group/process/group.h"
#include "text/scan.h"

/*
 * Segments of System V outlive their processes. Those that a process has
 * attached are objects among its mappings; those that nobody has attached are
 * listed in /proc/sysvipc/shm alone.
 */

struct segment {
	int64_t key;
	uint64_t id;
	size_t size;
	pid_t creator;
};

/* "KEY ID RIGHTS SIZE CREATOR ..." */
static bool parse(const char *line, struct segment *segment)
{
	struct vmsi_scan scan = vmsi_scan_text(line);
	uint64_t rights, size, creator;

	if (!vmsi_scan_signed_column(&scan, &segment->key) ||
	    !vmsi_scan_column(&scan, &segment->id) ||
	    !vmsi_scan_column(&scan, &rights) ||
	    !vmsi_scan_column(&scan, &size) ||
	    !vmsi_scan_column(&scan, &creator))
		return false;
	segment->size = size;
	segment->creator = (pid_t)creator;
	return true;
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
