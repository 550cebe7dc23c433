/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_FORK_H
#define VMSI_POOL_FORK_H

struct vms_pool;

/*
 * All pools of the process, for fork(2): a child has none of them. A pool is among them
 * before it has anything that a child could keep, and is_opening until it can be used.
 */
void vmsi_pool_register(struct vms_pool *pool);
void vmsi_pool_can_be_used(struct vms_pool *pool);
void vmsi_pool_unregister(struct vms_pool *pool);

/*
 * No fork comes between these: while a descriptor is opened and locked that the pool does
 * not know yet. Not for long.
 */
void vmsi_pool_hold_forks(void);
void vmsi_pool_let_forks(void);

#endif
