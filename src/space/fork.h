/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_FORK_H
#define VMSI_SPACE_FORK_H

/* What fork leaves of a space, and what mends it; see fork.c. */

struct vms_space;

/* Register a space for fork; undo. */
int vmsi_fork_watch(struct vms_space *space);
void vmsi_fork_unwatch(struct vms_space *space);

/* In a child that fork handlers did not reach, mend the copy first. */
void vmsi_fork_notice(struct vms_space *space);

#endif
