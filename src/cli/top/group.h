/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_GROUP_H
#define VMSI_CLI_TOP_GROUP_H

#include "cli/top/sample.h"

/* Follows a group that runs under 'vmspace limit'. */
struct vmsi_top_group;

/*
 * Find a group by its name or the number of its first process. Sets the number of its
 * supervisor, whose descendants the group is. Returns NULL after an error message.
 */
struct vmsi_top_group *vmsi_top_group_open(const char *name, pid_t *supervisor);

/*
 * Take the figures that have come since. Never waits. Once its supervisor has gone the
 * last ones stay, and has_ended is set.
 */
void vmsi_top_group_read(struct vmsi_top_group *group, struct vmsi_top_limit *limit);

/*
 * Take out of a sample what the supervisor runs for itself: its children that are not
 * under the filter which it has put over the group.
 */
void vmsi_top_group_keep(const struct vmsi_top_group *group,
			 struct vmsi_top_sample *sample);

void vmsi_top_group_close(struct vmsi_top_group *group);

#endif
