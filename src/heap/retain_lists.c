/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "heap/bins.h"
#include "heap/retain.h"
#include "heap/retain_parts.h"

/*
 * The lists of free slots that have memory. Each is in a bin by how much there
 * is, for the next block, and in the list of ages, by which memory goes back. The
 * list of ages has the surpluses of live blocks too; the lost slots, which have a
 * hole, are in a list of their own.
 */

uint64_t vmsi_heap_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- in and out of the lists ---------------------------------------------- */

/* Most are the newest. */
void vmsi_age_add(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_slot *after = heap->newest;

	while (after && after->freed_at > slot->freed_at)
		after = after->older;
	slot->older = after;
	slot->newer = after ? after->newer : heap->oldest;
	*(after ? &after->newer : &heap->oldest) = slot;
	*(slot->newer ? &slot->newer->older : &heap->newest) = slot;
}

void vmsi_age_remove(struct vms_heap *heap, struct vmsi_slot *slot)
{
	*(slot->older ? &slot->older->newer : &heap->oldest) = slot->newer;
	*(slot->newer ? &slot->newer->older : &heap->newest) = slot->older;
}

void vmsi_slot_withdraw(struct vms_heap *heap, struct vmsi_slot_class *class,
			struct vmsi_slot *slot)
{
	vmsi_bin_remove(&class->bins[slot->plain], slot);
	vmsi_age_remove(heap, slot);
	vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	atomic_fetch_sub_explicit(&heap->retained, vmsi_get(&slot->touched),
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&heap->used, vmsi_get(&slot->room),
				  memory_order_relaxed);
}

static void retain(struct vms_heap *heap, struct vmsi_slot_class *class,
		   struct vmsi_slot *slot)
{
	vmsi_bin_add(&class->bins[slot->plain], slot);
	vmsi_age_add(heap, slot);
	vmsi_slot_set_use(slot, VMSI_SLOT_RETAINED);
	atomic_fetch_add_explicit(&heap->retained, vmsi_get(&slot->touched),
				  memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->used, vmsi_get(&slot->room),
				  memory_order_relaxed);
}

void vmsi_slot_put_retained(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	retain(heap, vmsi_class_of_slot(heap, slot), slot);
	vmsi_lock_release(&heap->lock);
}

void vmsi_slot_put_lost(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	slot->next = heap->lost;
	heap->lost = slot;
	vmsi_lock_release(&heap->lock);
}

/* --- invariants ----------------------------------------------------------- */

static const char *check_bins(const struct vms_heap *heap, size_t *count,
			      size_t *bytes)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++)
		for (unsigned j = 0; !wrong && j < 2 * VMSI_HEAP_BINS; j++)
			wrong = vmsi_bin_check(&heap->classes[i].bins[j & 1], j / 2,
					  j & 1, count, bytes);
	return wrong;
}

const char *vmsi_heap_check_retained(struct vms_heap *heap, size_t *bytes)
{
	const struct vmsi_slot *older = NULL;
	size_t binned = 0, aged = 0;
	const char *wrong = check_bins(heap, &binned, bytes);

	if (wrong)
		return wrong;
	for (const struct vmsi_slot *slot = heap->oldest; slot;
	     older = slot, slot = slot->newer) {
		const size_t surplus = vmsi_get(&slot->surplus);

		if (slot->older != older)
			return "H5: the list of ages does not lead back";
		if (surplus && vmsi_slot_use(slot) == VMSI_SLOT_RETAINED)
			return "H4: a retained slot has a surplus";
		*bytes += surplus;
		aged += surplus == 0;
	}
	if (heap->newest != older || aged != binned)
		return "H5: the list of ages has not what the bins have";
	return NULL;
}
