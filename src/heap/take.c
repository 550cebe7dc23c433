/* SPDX-License-Identifier: MIT */
#include "heap/bins.h"
#include "heap/memlock.h"
#include "heap/retain.h"
#include "heap/retain_parts.h"
#include "heap/slot.h"

/* Which of the free slots the next block gets. */

/*
 * The memory that a growing block may take over, in its own size. It asks again
 * as it grows; but not for less than twice what it has.
 */
#define GROWTH_FACTOR 512
#define WARMTH_FACTOR 2

/*
 * For a block: the smallest memory that holds it, or else the largest that does
 * not; but none of which the block would leave most unused, for that would
 * neither serve another block nor go back.
 */
static struct vmsi_slot *retained_for_block(struct vmsi_bins *bins, size_t bytes)
{
	unsigned bin = vmsi_bin_filled_from(bins, vmsi_bin_of(bytes) + 1);

	if (bin < VMSI_HEAP_BINS &&
	    vmsi_get(&bins->first[bin]->touched) <= 2 * bytes)
		return bins->first[bin];
	bin = vmsi_bin_filled_below(bins, vmsi_bin_of(bytes) + 1);
	return bin < VMSI_HEAP_BINS ? bins->first[bin] : NULL;
}

/*
 * For a block that grows: as much memory as there is in one slot, but not very
 * many times what it has come to. It may grow no further, and what is left of
 * the memory serves no other block while it lives.
 */
static struct vmsi_slot *retained_for_growth(struct vmsi_bins *bins,
					     size_t bytes, size_t least)
{
	const unsigned most = vmsi_bin_of(GROWTH_FACTOR * bytes);
	const unsigned bin = vmsi_bin_filled_below(bins, most);

	return bin < VMSI_HEAP_BINS && bin > vmsi_bin_of(least) ?
		bins->first[bin] : NULL;
}

/*
 * For a block of which it is not known whether it will be filled: memory that
 * holds it, with huge pages or without, or else the most that there is. Huge
 * pages that are there already cost it nothing.
 */
static struct vmsi_slot *retained_of_any_pages(struct vmsi_slot_class *class,
					       size_t bytes)
{
	struct vmsi_slot *huge = retained_for_block(&class->bins[0], bytes);
	struct vmsi_slot *small = retained_for_block(&class->bins[1], bytes);

	if (!huge || !small)
		return huge ? huge : small;
	if (vmsi_get(&huge->touched) >= bytes)
		return huge;
	return vmsi_get(&small->touched) > vmsi_get(&huge->touched) ? small :
								      huge;
}

static bool is_for_growth(enum vmsi_purpose purpose)
{
	return purpose == VMSI_FOR_GROWTH || purpose == VMSI_FOR_WARMTH;
}

static struct vmsi_slot *unused_slot(struct vmsi_slot_class *class)
{
	struct vmsi_slot *slot = class->unused;

	if (slot)
		class->unused = slot->next;
	else if (class->begun < class->count)
		slot = &class->slots[class->begun++];
	if (slot)
		vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	return slot;
}

static struct vmsi_slot *take_retained(struct vms_heap *heap,
				       struct vmsi_slot_class *class,
				       size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_bins *bins = &class->bins[purpose == VMSI_FOR_ZEROES &&
					      heap->huge_pages];
	struct vmsi_slot *slot;

	if (purpose == VMSI_FOR_WARMTH)
		slot = retained_for_growth(bins, bytes, WARMTH_FACTOR * bytes);
	else if (purpose == VMSI_FOR_GROWTH)
		slot = retained_for_growth(bins, bytes, bytes);
	else if (purpose == VMSI_FOR_BLOCK)
		slot = retained_of_any_pages(class, bytes);
	else
		slot = retained_for_block(bins, bytes);
	if (slot)
		vmsi_slot_withdraw(heap, class, slot);
	return slot;
}

/* Any retained slot, the one with the least memory first. */
static struct vmsi_slot *take_any(struct vms_heap *heap,
				  struct vmsi_slot_class *class)
{
	for (int plain = 0; plain < 2; plain++) {
		struct vmsi_bins *bins = &class->bins[plain];
		unsigned bin = vmsi_bin_filled_from(bins, 0);
		struct vmsi_slot *slot;

		if (bin == VMSI_HEAP_BINS)
			continue;
		slot = bins->first[bin];
		vmsi_slot_withdraw(heap, class, slot);
		return slot;
	}
	return NULL;
}

static struct vmsi_slot *take(struct vms_heap *heap, size_t addresses,
			      size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot_class *end = heap->classes + VMSI_HEAP_CLASSES;
	struct vmsi_slot_class *first = heap->classes;
	struct vmsi_slot *slot = NULL;

	while (first < end && addresses > vmsi_slot_capacity(first))
		first++;
	/* What grows may go far beyond what holds it now. */
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		if (class == first || is_for_growth(purpose))
			slot = take_retained(heap, class, bytes, purpose);
	if (purpose == VMSI_FOR_WARMTH)
		return slot;
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		slot = unused_slot(class);
	/* Rather one that does not fit well than none. */
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		slot = take_any(heap, class);
	return slot;
}

static struct vmsi_slot *take_locked(struct vms_heap *heap, size_t addresses,
				     size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot;

	vmsi_lock_acquire(&heap->lock);
	slot = take(heap, addresses, bytes, purpose);
	vmsi_lock_release(&heap->lock);
	return slot;
}

/*
 * A thread may have retained a slot while another one began to lock memory. What
 * is to be locked begins without memory. NULL: the host keeps it.
 */
static struct vmsi_slot *empty_or_lose(struct vms_heap *heap,
				       struct vmsi_slot *slot)
{
	vmsi_slot_give_back(heap, slot, 0);
	if (vmsi_get(&slot->room) == 0)
		return slot;
	slot->lost = true;
	vmsi_slot_put_lost(heap, slot);
	return NULL;
}

struct vmsi_slot *vmsi_slot_take(struct vms_heap *heap, size_t addresses,
				 size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot = take_locked(heap, addresses, bytes, purpose);

	/* Runs without a live block may hold some. */
	if (!slot && purpose != VMSI_FOR_WARMTH &&
	    vmsi_heap_has_slots(heap, addresses)) {
		(void)vmsi_heap_collect_all(heap);
		slot = take_locked(heap, addresses, bytes, purpose);
	}
	if (slot && vmsi_get(&slot->room) > 0 && vmsi_heap_locks_new(heap))
		slot = empty_or_lose(heap, slot);
	if (slot) {
		slot->reclaimable = false;
		atomic_store_explicit(&slot->grown, 0, memory_order_relaxed);
		slot->zeroed = false;
		vmsi_set(&slot->size, 0);
	}
	return slot;
}
