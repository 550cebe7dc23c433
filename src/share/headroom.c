/* SPDX-License-Identifier: MIT */
#include "share/headroom.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/align.h"
#include "host/file.h"

/*
 * The kernel answers a page of a file in memory that a cgroup has no room for by killing
 * somebody in it. So the cgroup's figures are read first, of it and of all above.
 */

/* The files of a hierarchy, of version 2 and of version 1. */
struct hierarchy {
	const char *root;
	const char *limit, *usage;
	const char *swap_limit, *swap_usage;
	bool swap_has_memory;  /* these two are of memory and swap together */
	/* Names in memory.stat of what is taken back: pages of files. */
	const char *files[2];
};

static const struct hierarchy hierarchies[] = {
	{ "/sys/fs/cgroup", "memory.max", "memory.current",
	  "memory.swap.max", "memory.swap.current", false,
	  { "active_file", "inactive_file" } },
	{ "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	  "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes", true,
	  { "total_active_file", "total_inactive_file" } },
};

/* A path below a cgroup's directory, which is path[0..length). */
struct cgroup {
	const struct hierarchy *hierarchy;
	char path[PATH_MAX];
	size_t length;
};

static const char *file_of(struct cgroup *cgroup, const char *name)
{
	if (cgroup->length + 1 + strlen(name) >= sizeof(cgroup->path))
		return "";
	cgroup->path[cgroup->length] = '/';
	memcpy(cgroup->path + cgroup->length + 1, name, strlen(name) + 1);
	return cgroup->path;
}

static bool starts(struct vmsi_scan scan, const char *word)
{
	const size_t length = strlen(word);

	return vmsi_scan_left(&scan) > length &&
		memcmp(scan.at, word, length) == 0 && scan.at[length] == ' ';
}

/* The sum of the lines "name number" of memory.stat that are pages of files. */
static uint64_t pages_of_files(struct cgroup *cgroup)
{
	struct vmsi_host_file file;
	struct vmsi_line line;
	uint64_t sum = 0;

	if (vmsi_host_file_open(&file, file_of(cgroup, "memory.stat")) != 0)
		return 0;
	for (; vmsi_lines_peek(&file.lines, &line) > 0;
	     vmsi_lines_advance(&file.lines, &line)) {
		for (int i = 0; i < 2; i++) {
			struct vmsi_scan scan = vmsi_line_scan(&line);
			const char *name = cgroup->hierarchy->files[i];
			uint64_t bytes;

			if (!starts(scan, name))
				continue;
			scan.at += strlen(name) + 1;
			if (vmsi_scan_decimal(&scan, &bytes))
				sum += bytes;
		}
	}
	vmsi_host_file_close(&file);
	return sum;
}

static uint64_t free_swap(void)
{
	static const struct vmsi_field fields[] = {
		{ "SwapFree", 0, VMSI_FIELD_KIB },
	};
	uint64_t bytes = 0, seen;

	return vmsi_host_read_fields("/proc/meminfo", fields, 1, &bytes, &seen) == 0 ?
		bytes : 0;
}

/* "max", and a cgroup that has no such file, are no limit. */
static uint64_t left_of(struct cgroup *cgroup, const char *limit_name,
			const char *usage_name)
{
	uint64_t limit, usage;

	if (!vmsi_host_read_number(file_of(cgroup, limit_name), &limit) ||
	    !vmsi_host_read_number(file_of(cgroup, usage_name), &usage))
		return UINT64_MAX;
	return limit > usage ? limit - usage : 0;
}

/* What the host can write to swap, of a cgroup that has room for so much in memory. */
static uint64_t swap_of(struct cgroup *cgroup, uint64_t room)
{
	const struct hierarchy *hierarchy = cgroup->hierarchy;
	const uint64_t left = left_of(cgroup, hierarchy->swap_limit,
				      hierarchy->swap_usage);

	return vmsi_min(free_swap(), !hierarchy->swap_has_memory ? left :
			left > room ? left - room : 0);
}

static bool has_room(struct cgroup *cgroup, uint64_t bytes)
{
	const struct hierarchy *hierarchy = cgroup->hierarchy;
	const uint64_t room = left_of(cgroup, hierarchy->limit, hierarchy->usage);

	return room >= bytes ||
		room + pages_of_files(cgroup) + swap_of(cgroup, room) >= bytes;
}

/* A cgroup and those above it. */
static bool have_room(struct cgroup *cgroup, uint64_t bytes)
{
	const size_t root = strlen(cgroup->hierarchy->root);

	for (;;) {
		if (!has_room(cgroup, bytes))
			return false;
		while (cgroup->length > root &&
		       cgroup->path[cgroup->length - 1] != '/')
			cgroup->length--;
		if (cgroup->length <= root)
			return true;
		cgroup->length--;
	}
}

/* A line "number:controllers:/path" of /proc/self/cgroup. */
static bool parse(struct vmsi_line *line, struct cgroup *cgroup)
{
	const char *end = line->start + line->length;
	const char *controllers = memchr(line->start, ':', line->length);
	const char *path = controllers ?
		memchr(controllers + 1, ':', (size_t)(end - controllers - 1)) : NULL;
	size_t length, root;
	bool second;

	if (line->cut || !path)
		return false;
	second = path == controllers + 1;
	if (!second && !memmem(controllers, (size_t)(path - controllers + 1),
			       ":memory:", 8))
		return false;
	cgroup->hierarchy = &hierarchies[second ? 0 : 1];
	root = strlen(cgroup->hierarchy->root);
	length = (size_t)(end - path - 1);
	if (root + length >= sizeof(cgroup->path))
		return false;
	memcpy(cgroup->path, cgroup->hierarchy->root, root);
	memcpy(cgroup->path + root, path + 1, length);
	/* The root's path is "/". */
	cgroup->length = root + (length > 1 ? length : 0);
	return true;
}

int vmsi_headroom_check(uint64_t bytes)
{
	struct vmsi_host_file file;
	struct vmsi_line line;
	bool enough = true;

	if (vmsi_host_file_open(&file, "/proc/self/cgroup") != 0)
		return 0;
	for (; enough && vmsi_lines_peek(&file.lines, &line) > 0;
	     vmsi_lines_advance(&file.lines, &line)) {
		struct cgroup cgroup;

		if (parse(&line, &cgroup))
			enough = have_room(&cgroup, bytes);
	}
	vmsi_host_file_close(&file);
	return enough ? 0 : -ENOMEM;
}
