/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_GROUPS_H
#define VMSI_CLI_COMMIT_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

/* The control group that leaves the caller least memory. */
struct vmsi_commit_group {
	bool is_limited;   /* false: none of them has a limit */
	char *path;        /* its directory; malloc's */
	uint64_t limit, in_use, left; /* bytes */
};

/* Look at the caller's control groups and all above them. Returns 0 or -ENOMEM. */
int vmsi_commit_group_read(struct vmsi_commit_group *group);
void vmsi_commit_group_free(struct vmsi_commit_group *group);

#endif
