/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_FORK_H
#define VMSI_POOL_FORK_H

struct vms_pool;

/* All pools of the process, for fork(2): a child has none of them. */
void vmsi_pool_register(struct vms_pool *pool);
void vmsi_pool_unregister(struct vms_pool *pool);

#endif
