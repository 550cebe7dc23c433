/* SPDX-License-Identifier: MIT */
#include "share/headroom.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/align.h"
#include "host/cgroup.h"
#include "host/file.h"

/*
 * The kernel answers a page of a file in memory that a cgroup has no room for by killing
 * somebody in it. So the cgroup's figures are read first, of it and of all above.
 */

static bool starts(struct vmsi_scan scan, const char *word)
{
	const size_t length = strlen(word);

	return vmsi_scan_left(&scan) > length &&
		memcmp(scan.at, word, length) == 0 && scan.at[length] == ' ';
}

/* The sum of the lines "name number" of memory.stat that are pages of files. */
static uint64_t pages_of_files(struct vmsi_cgroup *cgroup)
{
	struct vmsi_host_file file;
	struct vmsi_line line;
	uint64_t sum = 0;

	if (vmsi_host_file_open(&file, vmsi_cgroup_file(cgroup, "memory.stat")) != 0)
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
static uint64_t left_of(struct vmsi_cgroup *cgroup, const char *limit_name,
			const char *usage_name)
{
	uint64_t limit, usage;

	if (!vmsi_host_read_number(vmsi_cgroup_file(cgroup, limit_name), &limit) ||
	    !vmsi_host_read_number(vmsi_cgroup_file(cgroup, usage_name), &usage))
		return UINT64_MAX;
	return limit > usage ? limit - usage : 0;
}

/* What the host can write to swap, of a cgroup that has room for so much in memory. */
static uint64_t swap_of(struct vmsi_cgroup *cgroup, uint64_t room)
{
	const struct vmsi_hierarchy *hierarchy = cgroup->hierarchy;
	const uint64_t left = left_of(cgroup, hierarchy->swap_limit,
				      hierarchy->swap_usage);

	return vmsi_min(free_swap(), !hierarchy->swap_has_memory ? left :
			left > room ? left - room : 0);
}

static bool has_room(struct vmsi_cgroup *cgroup, uint64_t bytes)
{
	const struct vmsi_hierarchy *hierarchy = cgroup->hierarchy;
	const uint64_t room = left_of(cgroup, hierarchy->limit, hierarchy->usage);

	return room >= bytes ||
		room + pages_of_files(cgroup) + swap_of(cgroup, room) >= bytes;
}

struct wanted {
	uint64_t bytes;
	bool is_there;
};

static bool look(struct vmsi_cgroup *cgroup, void *context)
{
	struct wanted *wanted = context;

	wanted->is_there = has_room(cgroup, wanted->bytes);
	return wanted->is_there;
}

int vmsi_headroom_check(uint64_t bytes)
{
	struct wanted wanted = { bytes, true };

	vmsi_cgroup_each(look, &wanted);
	return wanted.is_there ? 0 : -ENOMEM;
}
