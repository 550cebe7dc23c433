/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_FORK_H
#define VMSI_SPACE_FORK_H

/* A space in a child of fork; see fork.c. */

struct vms_space;

/*
 * Map space->fork_state, the page that the kernel wipes on fork, or unmap it.
 * The first returns 0 or -errno.
 */
int vmsi_fork_watch(struct vms_space *space);
void vmsi_fork_unwatch(struct vms_space *space);

/* If fork_state says that this is a child without handlers, mend its copy. */
void vmsi_fork_notice(struct vms_space *space);

#endif
