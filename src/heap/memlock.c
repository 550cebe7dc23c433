/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "heap/attributes.h"
#include "heap/memlock.h"
#include "heap/heap.h"
#include "host/host.h"

/*
 * mlockall(2) of the kernel would lock all addresses of the heap, reserved ones
 * too, and count them against RLIMIT_MEMLOCK. So the heap locks the memory of
 * blocks alone. It calls the host and not its space, since the space refuses to
 * give back memory that it knows to be locked.
 */

uint32_t vmsi_heap_get_locking(const vms_heap *heap)
{
	return atomic_load_explicit(&heap->locking, memory_order_relaxed);
}

/* Whether the heap has any of these bits. */
static bool has_locking(const struct vms_heap *heap, uint32_t bits)
{
	return vmsi_heap_get_locking(heap) & bits;
}

bool vmsi_heap_locks_new(const struct vms_heap *heap)
{
	return has_locking(heap, VMSI_HEAP_LOCK_NEW);
}

int vmsi_heap_lock_new(struct vms_heap *heap, uintptr_t start, size_t length)
{
	long error;

	if (!has_locking(heap, VMSI_HEAP_LOCK_NEW))
		return 0;
	error = vmsi_host.mlock2(start, length,
				 has_locking(heap, VMSI_HEAP_LOCK_ON_FAULT) ?
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

/* --- live blocks ----------------------------------------------------------- */

struct visit {
	void (*act)(uintptr_t start, size_t length, void *context);
	void *context;
};

static void visit_run(const struct vms_heap *heap, const struct vmsi_run *run,
		      uintptr_t start, const struct visit *visit)
{
	size_t size;

	/* The run may have ended just now. */
	if (!run)
		return;
	size = heap->runs.classes[run->class].size;
	for (unsigned i = 0; i < run->count; i++)
		if (__atomic_load_n(&run->blocks[i].use, __ATOMIC_ACQUIRE) ==
		    VMSI_BLOCK_LIVE)
			visit->act(start + i * size, size, visit->context);
}

static void visit_slot(const struct vms_heap *heap,
		       const struct vmsi_slot *slot, uintptr_t start,
		       const struct visit *visit)
{
	const enum vmsi_slot_use use = vmsi_slot_use(slot);

	if (use == VMSI_SLOT_LIVE)
		visit->act(start, vmsi_get(&slot->room), visit->context);
	else if (use == VMSI_SLOT_RUN)
		visit_run(heap, slot->run, start, visit);
}

void vmsi_heap_each_live(vms_heap *heap,
			 void (*act)(uintptr_t start, size_t length,
				     void *context),
			 void *context)
{
	const struct visit visit = { act, context };

	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++) {
		const struct vmsi_slot_class *class = &heap->layout.classes[i];
		const uint32_t begun = vmsi_class_begun(heap, class);

		for (uint32_t j = 0; j < begun; j++)
			visit_slot(heap, &class->slots[j],
				   vmsi_slot_start(class, &class->slots[j]),
				   &visit);
	}
}
