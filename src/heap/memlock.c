/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "heap/attributes.h"
#include "heap/state.h"
#include "host/host.h"

/*
 * mlockall(2). The kernel would lock all addresses of the heap, reserved ones
 * too, and count them against RLIMIT_MEMLOCK. So the heap locks what blocks have
 * and nothing else. It does so past its space, which would refuse to give back
 * what it knows to be locked.
 */

void vmsi_heap_set_locking(vms_heap *heap, unsigned locking)
{
	atomic_store(&heap->locking, locking);
	/* What it retains now was not locked, or would stay so. */
	if (locking)
		(void)vmsi_heap_collect_all(heap);
}

unsigned vmsi_heap_get_locking(const vms_heap *heap)
{
	return atomic_load_explicit(&heap->locking, memory_order_relaxed);
}

bool vmsi_heap_locks_new(const struct vms_heap *heap)
{
	return vmsi_heap_get_locking(heap) & VMSI_HEAP_LOCK_NEW;
}

int vmsi_heap_lock_new(struct vms_heap *heap, uintptr_t start, size_t length)
{
	const unsigned locking = vmsi_heap_get_locking(heap);
	long error;

	if (!(locking & VMSI_HEAP_LOCK_NEW))
		return 0;
	error = vmsi_host.mlock2(start, length,
				 locking & VMSI_HEAP_LOCK_ON_FAULT ?
					 MLOCK_ONFAULT : 0);
	return error < 0 ? -ENOMEM : 0;
}

void vmsi_heap_unlock(struct vms_heap *heap, uintptr_t start, size_t length)
{
	if (vmsi_heap_get_locking(heap))
		(void)vmsi_host.munlock(start, length);
}

void vmsi_heap_unlock_reserved(struct vms_heap *heap, uintptr_t start,
			       size_t length)
{
	if (vmsi_heap_locks_new(heap))
		(void)vmsi_host.munlock(start, length);
}
