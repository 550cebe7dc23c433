/* SPDX-License-Identifier: MIT */
#include "heap/attributes.h"
#include "heap/marks.h"
#include "heap/retain.h"
#include "heap/retain_parts.h"
#include "heap/slot.h"
#include "host/host.h"

/* How much memory free slots keep, and what goes back when it is more. */

/* So much may be retained whatever is used. */
#define RETAIN_LEAST ((size_t)64 << 20)

/* Remember the most that was used. */
static void note_used(struct vms_heap *heap)
{
	size_t used = vmsi_get(&heap->used);

	if (used > vmsi_get(&heap->used_lately))
		vmsi_set(&heap->used_lately, used);
}

void vmsi_heap_forget_used(struct vms_heap *heap)
{
	size_t used = vmsi_get(&heap->used);
	size_t lately = vmsi_get(&heap->used_lately);

	if (lately > used)
		vmsi_set(&heap->used_lately, lately - (lately - used) / 32);
}

/* A program that uses little is not to hold much that it does not use. */
static size_t retain_limit(const struct vms_heap *heap)
{
	/* Memory that is locked is needed for what is in use. */
	if (vmsi_heap_get_locking(heap))
		return 0;
	return vmsi_min(heap->retain, vmsi_max(vmsi_get(&heap->used_lately),
					       RETAIN_LEAST));
}

/* A slot without memory and without a trace of what it was used for. */
static void put_unused(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(heap, slot);

	vmsi_slot_set_plain(heap, slot, false);
	vmsi_lock_acquire(&heap->lock);
	vmsi_slot_set_use(slot, VMSI_SLOT_UNUSED);
	slot->next = class->unused;
	class->unused = slot;
	vmsi_lock_release(&heap->lock);
}

void vmsi_slot_put_untrimmed(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t keep = vmsi_align_down(
		vmsi_min(vmsi_get(&slot->touched), retain_limit(heap)),
		vmsi_page_size());

	/*
	 * All others go before a part of the latest. One with a hole has nothing
	 * left when it is mended.
	 */
	if (!slot->lost && (keep == 0 || vmsi_get(&slot->touched) > keep))
		vmsi_slot_give_back(heap, slot, keep);
	if (slot->lost && !vmsi_slot_mend(heap, slot))
		vmsi_slot_put_lost(heap, slot);
	else if (vmsi_get(&slot->room) == 0)
		put_unused(heap, slot);
	else
		vmsi_slot_put_retained(heap, slot);
}

/* The oldest slot, if it is to go: too old, or too much is retained. */
static struct vmsi_slot *next_to_go(struct vms_heap *heap, size_t limit,
				    uint64_t before)
{
	struct vmsi_slot *slot;

	vmsi_lock_acquire(&heap->lock);
	slot = heap->oldest;
	if (slot && (vmsi_get(&heap->retained) > limit ||
		     slot->freed_at < before))
		vmsi_slot_withdraw_any(heap, slot);
	else
		slot = NULL;
	vmsi_lock_release(&heap->lock);
	return slot;
}

/* What is more than the limit with a surplus that was withdrawn. */
static size_t excess_with(const struct vms_heap *heap, size_t surplus,
			  size_t limit)
{
	const size_t retained = vmsi_get(&heap->retained) + surplus;

	return retained > limit ? retained - limit : 0;
}

/* The charge of a slot and its pages: the host may take the pages only. */
static size_t memory_of(const struct vmsi_slot *slot)
{
	return vmsi_get(&slot->room) + vmsi_get(&slot->touched);
}

/* 0: the host keeps it, because it is locked for instance. */
static size_t give_back_retained(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t had = memory_of(slot);
	size_t given;

	vmsi_slot_give_back(heap, slot, 0);
	given = had - memory_of(slot);
	slot->freed_at = vmsi_heap_now();
	vmsi_slot_put_untrimmed(heap, slot);
	return given;
}

static size_t give_back_oldest(struct vms_heap *heap, size_t limit,
			       uint64_t before)
{
	struct vmsi_slot *slot;
	size_t surplus, given = 0;

	vmsi_surplus_lock(heap);
	slot = next_to_go(heap, limit, before);
	surplus = slot ? vmsi_get(&slot->surplus) : 0;
	if (surplus)
		given = vmsi_surplus_give_back(heap, slot,
			slot->freed_at < before ?
			surplus : excess_with(heap, surplus, limit));
	vmsi_surplus_unlock(heap);
	if (slot && !surplus)
		given = give_back_retained(heap, slot);
	return given;
}

size_t vmsi_heap_trim(struct vms_heap *heap, size_t limit, uint64_t before)
{
	size_t bytes = 0, given;

	while ((given = give_back_oldest(heap, limit, before)))
		bytes += given;
	return bytes;
}

/* A block that had little of the memory does not make it younger, nor used. */
static void end_use(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t had = vmsi_get(&slot->room);

	note_used(heap);
	vmsi_slot_take_surplus(heap, slot);
	if (had >= vmsi_get(&slot->room) / 2)
		slot->freed_at = vmsi_heap_now();
	/* What is retained anew is not; what was a surplus may have been. */
	slot->reclaimable = false;
}

void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot)
{
	end_use(heap, slot);
	vmsi_slot_renew(heap, slot);
	vmsi_slot_put_untrimmed(heap, slot);
	if (vmsi_get(&heap->retained) > retain_limit(heap))
		(void)vmsi_heap_trim(heap, retain_limit(heap), 0);
}
