/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_FORK_H
#define VMSI_POOL_FORK_H

#include <stdbool.h>

struct vms_pool;

/*
 * All pools of the process, for fork(2): a child has none of them. A pool is among them
 * before it has anything that a child could keep, and is_opening until it can be used.
 */
void vmsi_pool_register(struct vms_pool *pool);
void vmsi_pool_can_be_used(struct vms_pool *pool);
void vmsi_pool_unregister(struct vms_pool *pool);

/*
 * Let no fork begin until they are released, so that a child does not have what is not in
 * the pool's record yet: for a descriptor that is opened and locked, and not for long. try:
 * false: one is under way, or somebody else holds them.
 */
void vmsi_pool_hold_forks(void);
bool vmsi_pool_try_hold_forks(void);
void vmsi_pool_release_forks(void);

#endif
