/* SPDX-License-Identifier: MIT */
#include "pool/fork.h"

#include <pthread.h>

#include "pool/plain/plain.h"
#include "pool/pool.h"
#include "space/inside.h"

static struct vmsi_lock list_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
static struct vms_pool *pools;

static void before_fork(void)
{
	vmsi_lock_acquire_any(&list_lock);
	for (struct vms_pool *pool = pools; pool; pool = pool->next)
		vmsi_snapshot_before_fork(pool);
}

static void after_fork_in_parent(void)
{
	for (struct vms_pool *pool = pools; pool; pool = pool->next)
		vmsi_snapshot_in_parent(pool);
	vmsi_lock_release_any(&list_lock);
}

/*
 * The child has the records of its pools and not their memory, or nobody has made sure
 * that it is whole. There is no page whose word it could look at, so that every call, also
 * those that are inline, finds that it is an orphan before it takes a lock.
 */
static void after_fork_in_child(void)
{
	vmsi_lock_release_any(&list_lock);
	for (struct vms_pool *pool = pools; pool; pool = pool->next) {
		atomic_store(&pool->is_orphan, true);
		__atomic_store_n(&pool->view.pages, 0, __ATOMIC_RELEASE);
		pool->has_writer = false;
		vmsi_area_forked(&pool->area);
		vmsi_store_forked(&pool->store);
		vmsi_plain_forked(pool);
		if (pool->store.aside.swap)
			vmsi_swap_forked(pool->store.aside.swap);
		vmsi_snapshot_in_child(pool);
	}
}

__attribute__((constructor)) static void handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void vmsi_pool_register(struct vms_pool *pool)
{
	handle_fork();
	vmsi_lock_acquire(&list_lock);
	pool->is_opening = true;
	pool->next = pools;
	pools = pool;
	vmsi_lock_release(&list_lock);
}

void vmsi_pool_can_be_used(struct vms_pool *pool)
{
	vmsi_lock_acquire(&list_lock);
	pool->is_opening = false;
	vmsi_lock_release(&list_lock);
}

void vmsi_pool_unregister(struct vms_pool *pool)
{
	struct vms_pool **link = &pools;

	vmsi_lock_acquire(&list_lock);
	while (*link != pool)
		link = &(*link)->next;
	*link = pool->next;
	vmsi_lock_release(&list_lock);
}

void vmsi_pool_hold_forks(void)
{
	vmsi_lock_acquire(&list_lock);
}

bool vmsi_pool_try_hold_forks(void)
{
	return vmsi_lock_try(&list_lock);
}

void vmsi_pool_release_forks(void)
{
	vmsi_lock_release(&list_lock);
}
