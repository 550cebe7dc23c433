/* SPDX-License-Identifier: MIT */
#include "heap/locks.h"

#include "heap/heap.h"

/* Call act for every lock of a heap, in the order in which they are taken. */
static void for_each_lock(struct vms_heap *heap,
			  void (*act)(struct vmsi_lock *lock))
{
	act(&heap->ages.lock);
	act(&heap->runs.ahead_lock);
	act(&heap->lock);
	act(&heap->runs.pool_lock);
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++)
		act(&heap->runs.classes[i].lock);
}

void vmsi_heap_lock_all(struct vms_heap *heap)
{
	for_each_lock(heap, vmsi_lock_acquire_any);
}

void vmsi_heap_unlock_all(struct vms_heap *heap)
{
	for_each_lock(heap, vmsi_lock_release_any);
}

static void renew(struct vmsi_lock *lock)
{
	vmsi_lock_init(lock, lock->rank);
}

void vmsi_heap_renew_locks(struct vms_heap *heap)
{
	for_each_lock(heap, renew);
}
