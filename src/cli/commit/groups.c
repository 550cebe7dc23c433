/* SPDX-License-Identifier: MIT */
#include "cli/commit/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/cgroup.h"
#include "procfs/file.h"

/* Where memory.max is larger, as version 1 has it for none, it is no limit. */
#define NO_LIMIT ((uint64_t)INT64_MAX - (1 << 20))

struct search {
	struct vmsi_commit_group *group;
	int error;
};

static bool look_at(struct vmsi_cgroup *cgroup, void *context)
{
	const struct vmsi_hierarchy *files = cgroup->hierarchy;
	struct search *search = context;
	struct vmsi_commit_group *least = search->group;
	uint64_t limit, in_use, left;
	char *path;

	if (!vmsi_host_read_number(vmsi_cgroup_file(cgroup, files->limit), &limit) ||
	    limit > NO_LIMIT ||
	    !vmsi_host_read_number(vmsi_cgroup_file(cgroup, files->usage), &in_use))
		return true;
	left = limit > in_use ? limit - in_use : 0;
	if (least->is_limited && left >= least->left)
		return true;
	path = strndup(cgroup->path, cgroup->length);
	if (!path) {
		search->error = -ENOMEM;
		return false;
	}
	free(least->path);
	*least = (struct vmsi_commit_group){ true, path, limit, in_use, left };
	return true;
}

int vmsi_commit_group_read(struct vmsi_commit_group *group)
{
	struct search search = { .group = group };

	*group = (struct vmsi_commit_group){ 0 };
	vmsi_cgroup_each(look_at, &search);
	return search.error;
}

void vmsi_commit_group_free(struct vmsi_commit_group *group)
{
	free(group->path);
	*group = (struct vmsi_commit_group){ 0 };
}
