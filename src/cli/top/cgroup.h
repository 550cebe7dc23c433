/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_CGROUP_H
#define VMSI_CLI_TOP_CGROUP_H

#include "cli/top/sample.h"

/* Follows a control group, of either version, by the path of its directory. */
struct vmsi_top_cgroup;

/* Returns NULL after an error message. */
struct vmsi_top_cgroup *vmsi_top_cgroup_open(const char *path);

/*
 * Take out of a sample who is neither in the group nor in one below it. A group that was
 * removed has nobody. Returns 0 or -ENOMEM.
 */
int vmsi_top_cgroup_keep(const struct vmsi_top_cgroup *cgroup,
			 struct vmsi_top_sample *sample);

/*
 * Read its limit: that of commit which 'vmspace limit' has the kernel keep, or else that
 * of memory which the group itself has; or it has none that can be read.
 */
void vmsi_top_cgroup_read(const struct vmsi_top_cgroup *cgroup,
			  struct vmsi_top_limit *limit);

void vmsi_top_cgroup_close(struct vmsi_top_cgroup *cgroup);

#endif
