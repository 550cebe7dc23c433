/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_PLAIN_H
#define VMSI_POOL_PLAIN_PLAIN_H

struct vms_pool;

/*
 * Have the pages of a pool that is VMS_POOL_TRANSPARENT come by faults; for another pool
 * nothing is done. Returns 0 or -errno.
 */
int vmsi_plain_open(struct vms_pool *pool);
void vmsi_plain_close(struct vms_pool *pool);

/* In the child of a fork. */
void vmsi_plain_forked(struct vms_pool *pool);

#endif
