/* SPDX-License-Identifier: MIT */
#include "code/fork.h"

#include <pthread.h>
#include <stdatomic.h>

#include "code/gdb.h"
#include "code/share.h"
#include "space/inside.h"

/*
 * The list of pools, and fork(2): the child gets every pool with no lock taken. The
 * handlers of spaces are registered first, so that in the child spaces are mended
 * before their pools.
 */

static struct vmsi_lock list_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
static struct vms_code *pools;

static void before_fork(void)
{
	vmsi_lock_acquire_any(&list_lock);
	for (struct vms_code *code = pools; code; code = code->next_pool)
		vmsi_lock_acquire_any(&code->lock);
	for (struct vms_code *code = pools; code; code = code->next_pool)
		vmsi_code_copy_for_child(code);
	vmsi_gdb_lock();
}

static void after_fork_in_parent(void)
{
	vmsi_gdb_unlock();
	for (struct vms_code *code = pools; code; code = code->next_pool) {
		vmsi_code_drop_copy(code);
		vmsi_lock_release_any(&code->lock);
	}
	vmsi_lock_release_any(&list_lock);
}

static void after_fork_in_child(void)
{
	vmsi_gdb_unlock();
	for (struct vms_code *code = pools; code; code = code->next_pool) {
		vmsi_code_note_shared(code);
		vmsi_lock_release_any(&code->lock);
	}
	vmsi_lock_release_any(&list_lock);
}

__attribute__((constructor)) void vmsi_code_handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
}

void vmsi_code_register(struct vms_code *code)
{
	vmsi_lock_acquire(&list_lock);
	code->next_pool = pools;
	pools = code;
	vmsi_lock_release(&list_lock);
}

void vmsi_code_unregister(struct vms_code *code)
{
	struct vms_code **link = &pools;

	vmsi_lock_acquire(&list_lock);
	while (*link != code)
		link = &(*link)->next_pool;
	*link = code->next_pool;
	vmsi_lock_release(&list_lock);
}
