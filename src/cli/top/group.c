/* SPDX-License-Identifier: MIT */
#include "cli/top/group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/supervise/running.h"
#include "procfs/file.h"
#include "text/number.h"

/* How long the first figures are waited for. */
#define FIRST_MS 10000

struct vmsi_top_group {
	int end;          /* -1: the supervisor has gone */
	pid_t supervisor;
	struct vmsi_control_figures figures;
};

static bool is_meant(const struct vmsi_live_group *group, const char *name)
{
	int number;

	if (!group->answers)
		return false;
	return strcmp(group->figures.name, name) == 0 ||
		(vmsi_parse_int(name, &number) && number == group->figures.first);
}

/* Returns how many are meant, and the last of them; or -errno. */
static int find(const char *name, struct vmsi_live_group *found)
{
	struct vmsi_live_groups groups = { .list = NULL };
	const int error = vmsi_live_find(&groups);
	int count = 0;

	for (size_t i = 0; i < groups.count; i++)
		if (is_meant(&groups.list[i], name)) {
			*found = groups.list[i];
			count++;
		}
	vmsi_live_free(&groups);
	return error ? error : count;
}

static int follow(struct vmsi_top_group *group, struct vmsi_live_group *found)
{
	const struct vmsi_control_request ask = { .what = VMSI_CONTROL_FOLLOW };
	int got;

	group->end = vmsi_live_ask(found, &ask);
	if (group->end < 0)
		return group->end;
	got = vmsi_live_receive(group->end, &group->figures, FIRST_MS);
	if (got == 1 && group->figures.error)
		got = -(int)group->figures.error;
	if (got == 1)
		return 0;
	close(group->end);
	return got ? got : -ESRCH;
}

struct vmsi_top_group *vmsi_top_group_open(const char *name, pid_t *supervisor)
{
	struct vmsi_top_group *group = calloc(1, sizeof(*group));
	struct vmsi_live_group found;
	int error = group ? find(name, &found) : -ENOMEM;

	if (error == 1) {
		error = follow(group, &found);
		*supervisor = group->supervisor = found.supervisor;
		if (!error)
			return group;
	} else if (error == 0) {
		vmsi_complain(name, "no group of that name runs under a limit");
	} else if (error > 1) {
		vmsi_complain(name, "%d groups have that name; say the number of "
			      "its first process", error);
	}
	if (error < 0)
		vmsi_complain(name, "%s", strerror(-error));
	free(group);
	return NULL;
}

void vmsi_top_group_read(struct vmsi_top_group *group, struct vmsi_top_limit *limit)
{
	struct vmsi_control_figures figures;
	int got = 1;

	while (group->end >= 0 && got == 1) {
		got = vmsi_live_receive(group->end, &figures, 0);
		if (got == 1)
			group->figures = figures;
	}
	if (group->end >= 0 && got != -EAGAIN) {
		close(group->end);
		group->end = -1;
	}
	*limit = (struct vmsi_top_limit){
		.is_known = true,
		.has_ended = group->end < 0 ||
			group->figures.state == VMSI_CONTROL_EMPTY,
		.name = group->figures.name,
		.first = group->figures.first,
		.limit = group->figures.limit,
		.committed = group->figures.committed,
		.peak = group->figures.peak,
		.refusals = group->figures.refusals,
		.processes = group->figures.processes,
	};
}

/* How many filters of seccomp(2) a process is under; -1 where that is not told. */
static int64_t count_filters(pid_t pid)
{
	struct filters {
		uint64_t count;
	} filters = { 0 };
	static const struct vmsi_field field[] = {
		VMSI_FIELD(COUNT, struct filters, "Seccomp_filters", count),
	};
	uint64_t seen;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (vmsi_host_read_fields(path, field, 1, &filters, &seen) || !seen)
		return -1;
	return (int64_t)filters.count;
}

void vmsi_top_group_keep(const struct vmsi_top_group *group,
			 struct vmsi_top_sample *sample)
{
	const int64_t filters = count_filters(group->supervisor);
	size_t kept = 0;

	for (size_t i = 0; i < sample->count; i++) {
		const struct vmsi_top_entry *entry = &sample->list[i];
		const int64_t under = entry->parent == (uint64_t)group->supervisor ?
			count_filters((pid_t)entry->id.number) : -1;

		if (under < 0 || under > filters)
			sample->list[kept++] = *entry;
	}
	sample->count = kept;
}

void vmsi_top_group_close(struct vmsi_top_group *group)
{
	if (!group)
		return;
	if (group->end >= 0)
		close(group->end);
	free(group);
}
