/* SPDX-License-Identifier: MIT */
#include "base/reclaim.h"
#include "heap/heap.h"
#include "heap/locks.h"
#include "heap/registry.h"
#include "heap/watch.h"
#include "space/inside.h"

/*
 * The list of all heaps, and fork(2): in the child no lock of a heap is held. A
 * slot that another thread was changing stays busy in the child for ever; if it
 * had a block, that was the other thread's.
 */

static struct vmsi_lock registry_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_LEAF);
static struct vms_heap *registry;

/*
 * vmsi_reclaim_lock is taken first, so that a thread that gives memory back ends
 * that. Until the fork is over this thread gives none back: it holds the locks.
 */
static void before_fork(void)
{
	vmsi_reclaim_forbid();
	vmsi_lock_acquire_any(&vmsi_reclaim_lock);
	vmsi_lock_acquire_any(&registry_lock);
	for (struct vms_heap *heap = registry; heap; heap = heap->next)
		vmsi_heap_lock_all(heap);
}

static void after_fork_in_parent(void)
{
	for (struct vms_heap *heap = registry; heap; heap = heap->next)
		vmsi_heap_unlock_all(heap);
	vmsi_lock_release_any(&registry_lock);
	vmsi_lock_release_any(&vmsi_reclaim_lock);
	vmsi_reclaim_allow();
}

static void after_fork_in_child(void)
{
	vmsi_reclaim_allow();
	vmsi_lock_init(&vmsi_reclaim_lock, vmsi_reclaim_lock.rank);
	vmsi_lock_init(&registry_lock, VMSI_RANK_LEAF);
	for (struct vms_heap *heap = registry; heap; heap = heap->next) {
		vmsi_heap_renew_locks(heap);
		/* Giving back pages that are shared with the parent frees none. */
		atomic_store(&heap->ages.born, vmsi_heap_now());
		/* A child has no locked memory, and MCL_FUTURE is off. */
		atomic_store(&heap->locking, 0);
	}
}

/*
 * A constructor, since fork runs the handlers that were registered first last:
 * those of the program are to run before, as they often take a lock that
 * another thread may hold while it waits for a lock of the heap.
 */
__attribute__((constructor)) void vmsi_heap_handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
}

void vmsi_heap_register(struct vms_heap *heap)
{
	vmsi_lock_acquire(&registry_lock);
	heap->next = registry;
	registry = heap;
	vmsi_lock_release(&registry_lock);
}

void vmsi_heap_unregister(struct vms_heap *heap)
{
	struct vms_heap **link = &registry;

	vmsi_lock_acquire(&vmsi_reclaim_lock);
	vmsi_lock_acquire(&registry_lock);
	while (*link != heap)
		link = &(*link)->next;
	*link = heap->next;
	vmsi_lock_release(&registry_lock);
	vmsi_lock_release(&vmsi_reclaim_lock);
}

struct vms_heap *vmsi_heap_registered_after(const struct vms_heap *heap)
{
	struct vms_heap *next;

	vmsi_lock_acquire(&registry_lock);
	next = heap ? heap->next : registry;
	vmsi_lock_release(&registry_lock);
	return next;
}
