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

/* Call visit with each segment; false ends it. */
static void each_segment(bool (*visit)(const struct segment *segment,
				       void *context),
			 void *context)
{
	FILE *file = fopen("/proc/sysvipc/shm", "re");
	struct segment segment;
	char line[512];

	while (file && fgets(line, sizeof line, file))
		if (parse(line, &segment) && !visit(&segment, context))
			break;
	if (file)
		fclose(file);
}

/* --- detached ----------------------------------------------------------- */

struct sum {
	const struct vms_group *group;
	const struct vmsi_shared_objects *objects;
	size_t bytes;
};

static bool is_attached(const struct vmsi_shared_objects *objects, uint64_t id)
{
	for (size_t i = 0; i < objects->count; i++)
		if (objects->list[i].is_segment &&
		    objects->list[i].inode == id)
			return true;
	return false;
}

static bool add_detached(const struct segment *segment, void *context)
{
	struct sum *sum = context;

	if (vmsi_process_is_known(sum->group, segment->creator) &&
	    !is_attached(sum->objects, segment->id))
		sum->bytes += segment->size;
	return true;
}

size_t vmsi_segments_detached(const struct vms_group *group,
			      const struct vmsi_shared_objects *objects)
{
	struct sum sum = { .group = group, .objects = objects };

	each_segment(add_detached, &sum);
	return sum.bytes;
}

/* --- by key ------------------------------------------------------------- */

struct search {
	long key;
	bool found;
};

static bool has_key(const struct segment *segment, void *context)
{
	struct search *search = context;

	search->found = segment->key == search->key;
	return !search->found;
}

bool vmsi_segment_exists(key_t key)
{
	struct search search = { .key = key };

	if (key != IPC_PRIVATE)
		each_segment(has_key, &search);
	return search.found;
}
