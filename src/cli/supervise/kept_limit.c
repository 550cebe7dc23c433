/* SPDX-License-Identifier: MIT */
#include "cli/supervise/kept_limit.h"

#include <errno.h>

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

int vmsi_kept_limit_set(struct vmsi_kept_limit *limit, size_t bytes)
{
	const int error = set(limit, bytes);

	limit->is_set = limit->is_set || !error;
	return error;
}

void vmsi_kept_limit_follow(struct vmsi_kept_limit *limit)
{
	size_t bytes;

	if (limit->is_set || limit->options->source.kind != VMSI_LIMIT_CGROUP)
		return;
	bytes = vmsi_limit_source_bytes(&limit->options->source);
	if (bytes != limit->bytes)
		(void)set(limit, bytes);
}
