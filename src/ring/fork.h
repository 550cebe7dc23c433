/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_FORK_H
#define VMSI_RING_FORK_H

struct vms_ring;

/*
 * All rings of the process, for fork(2): a child has a part in none of them, and closes
 * the descriptors that have the locks of its parent, which would else hold them for as
 * long as the child lives.
 */

/*
 * Open a description of fd's file that has the ring's locks, and list the ring. No fork
 * comes between the two. Returns 0 or -errno.
 */
int vmsi_ring_register(struct vms_ring *ring, int fd);

/* The reverse. */
void vmsi_ring_unregister(struct vms_ring *ring);

#endif
