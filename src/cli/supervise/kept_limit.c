/* SPDX-License-Identifier: MIT */
#include "cli/supervise/kept_limit.h"

#include <errno.h>

#include "cli/clock.h"

static int set(struct vmsi_kept_limit *limit, size_t bytes)
{
	size_t marks[VMS_GROUP_MARKS] = { 0 };

	if (vms_group_set_limit(limit->group, bytes))
		return -errno;
	limit->bytes = bytes;
	vmsi_warn_marks(&limit->options->warn, bytes, marks);
	(void)vms_group_set_marks(limit->group, marks);
	if (limit->budget)
		(void)vms_budget_set_limit(limit->budget, bytes);
	return 0;
}

int vmsi_kept_limit_set(struct vmsi_kept_limit *limit,
			const struct vmsi_limit_source *source, size_t bytes)
{
	const int error = set(limit, source->kind == VMSI_LIMIT_SIZE ? bytes :
					vmsi_limit_source_bytes(source));

	if (!error)
		limit->source = *source;
	return error;
}

void vmsi_kept_limit_follow(struct vmsi_kept_limit *limit)
{
	size_t bytes;

	if (limit->source.kind != VMSI_LIMIT_CGROUP)
		return;
	bytes = vmsi_limit_source_bytes(&limit->source);
	if (bytes != limit->bytes)
		(void)set(limit, bytes);
}

/* Nanoseconds. Each look costs ten times what it takes of them, and time gives them back. */
#define CREDIT 2000000000u

void vmsi_kept_limit_follow_if_due(struct vmsi_kept_limit *limit)
{
	uint64_t begin;

	if (limit->source.kind != VMSI_LIMIT_CGROUP)
		return;
	begin = vmsi_clock_ns();
	if (begin < limit->next_look)
		return;
	vmsi_kept_limit_follow(limit);
	if (limit->next_look + CREDIT < begin)
		limit->next_look = begin - CREDIT;
	limit->next_look += 10 * (vmsi_clock_ns() - begin);
}
