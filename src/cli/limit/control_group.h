/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LIMIT_CONTROL_GROUP_H
#define VMSI_CLI_LIMIT_CONTROL_GROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Directories of cgroup v2. Calls return 0 or -errno. */

struct vmsi_control_group {
	int parent;    /* the directory of the group that the caller was in */
	int directory;
	char name[32]; /* below parent: "vmspace-" and a number */
};

/* Make one below the caller's own. */
int vmsi_control_group_make(struct vmsi_control_group *group);

/* Move this process into it. */
int vmsi_control_group_join(const struct vmsi_control_group *group);

/* Move back, and remove it. */
void vmsi_control_group_leave(struct vmsi_control_group *group);
void vmsi_control_group_remove(struct vmsi_control_group *group);

/*
 * Remove a group that was made here for a program, where no process is left in it.
 * Returns whether it was.
 */
bool vmsi_control_group_end(uint64_t id);

/* The path of a group by its number, or "(number)" where it cannot be told. */
void vmsi_control_group_path(uint64_t id, char path[PATH_MAX]);

#endif
