/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>

#include "heap/attributes.h"
#include "heap/retain.h"
#include "heap/retain_parts.h"
#include "heap/run.h"

#ifndef MADV_FREE
#define MADV_FREE 8
#endif

/*
 * Giving back by age, and at once: memory that was not used for a while is
 * offered to the host, and later goes back with its charge.
 */

/* Ages are looked at so often, at most. */
#define LOOK_EVERY 100

/* When what has just reached an age was freed. */
static uint64_t time_before(const struct vms_heap *heap, uint64_t now,
			    unsigned age)
{
	if (age == VMS_HEAP_NEVER ||
	    now - atomic_load_explicit(&heap->born, memory_order_relaxed) < age)
		return 0;
	return now - age;
}

/* A slot whose memory the host may have, but was not told of it. */
static struct vmsi_slot *next_reclaimable(struct vms_heap *heap, uint64_t before)
{
	struct vmsi_slot *slot;

	vmsi_lock_acquire(&heap->lock);
	for (slot = heap->oldest; slot; slot = slot->newer)
		if (slot->freed_at >= before || !slot->reclaimable)
			break;
	if (slot && slot->freed_at < before)
		vmsi_slot_withdraw_any(heap, slot);
	else
		slot = NULL;
	vmsi_lock_release(&heap->lock);
	return slot;
}

static void offer(struct vms_heap *heap, struct vmsi_slot *slot, size_t from,
		  size_t length)
{
	const uintptr_t start =
		vmsi_slot_start(vmsi_class_of_slot(heap, slot), slot);

	(void)vms_madvise(heap->space, (void *)(start + from), length,
			  MADV_FREE);
	slot->reclaimable = true;
}

/* Returns whether there was any. */
static bool offer_oldest(struct vms_heap *heap, uint64_t before)
{
	struct vmsi_slot *slot;
	size_t surplus;

	vmsi_surplus_lock(heap);
	slot = next_reclaimable(heap, before);
	surplus = slot ? vmsi_get(&slot->surplus) : 0;
	if (surplus) {
		offer(heap, slot, vmsi_get(&slot->room), surplus);
		vmsi_surplus_list(heap, slot);
	}
	vmsi_surplus_unlock(heap);
	if (slot && !surplus) {
		offer(heap, slot, 0, vmsi_get(&slot->room));
		vmsi_slot_put_retained(heap, slot);
	}
	return slot != NULL;
}

static void offer_old(struct vms_heap *heap, uint64_t before)
{
	while (offer_oldest(heap, before))
		;
}

static void look(struct vms_heap *heap, uint64_t now)
{
	vmsi_heap_forget_used(heap);
	offer_old(heap, time_before(heap, now, heap->reclaimable_after));
	now = time_before(heap, now, heap->give_back_after);
	if (now == 0)
		return;
	(void)vmsi_heap_trim(heap, SIZE_MAX, now);
	(void)vmsi_runs_collect(heap, now);
}

void vmsi_heap_age(struct vms_heap *heap, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&heap->looked_at,
					     memory_order_relaxed);

	if (now - last >= LOOK_EVERY && vmsi_get(&heap->retained) > 0 &&
	    atomic_compare_exchange_strong(&heap->looked_at, &last, now))
		look(heap, now);
}

static void mend_lost(struct vms_heap *heap)
{
	struct vmsi_slot *slot, *next;

	vmsi_lock_acquire(&heap->lock);
	slot = heap->lost;
	heap->lost = NULL;
	vmsi_lock_release(&heap->lock);
	for (; slot; slot = next) {
		next = slot->next;
		vmsi_slot_put_untrimmed(heap, slot);
	}
}

size_t vmsi_heap_collect_all(struct vms_heap *heap)
{
	size_t bytes;

	mend_lost(heap);
	bytes = vmsi_heap_trim(heap, 0, UINT64_MAX);
	return bytes + vmsi_runs_collect(heap, UINT64_MAX);
}

void vmsi_heap_set_locking(vms_heap *heap, unsigned locking)
{
	atomic_store(&heap->locking, locking);
	/* What it retains now was not locked, or would stay so. */
	if (locking)
		(void)vmsi_heap_collect_all(heap);
}

size_t vms_heap_collect(vms_heap *heap, unsigned flags)
{
	const uint64_t before = atomic_load(&heap->counts.given_back);
	const int saved = errno;

	if (flags & VMS_HEAP_COLLECT_ALL)
		(void)vmsi_heap_collect_all(heap);
	else
		look(heap, vmsi_heap_now());
	vmsi_heap_verify(heap);
	errno = saved;
	return (size_t)(atomic_load(&heap->counts.given_back) - before);
}
