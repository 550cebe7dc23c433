/* SPDX-License-Identifier: MIT */
#include "heap/take.h"

#include "heap/collect.h"
#include "heap/heap.h"
#include "heap/memlock.h"

/*
 * A block that grows gets a slot that retains at most GROWTH_MOST times its size.
 * Where it could grow in place, it moves only to one that retains more than
 * GROWTH_LEAST times its size.
 */
#define GROWTH_MOST 512
#define GROWTH_LEAST 2

/*
 * For a block: the slot that retains the least memory that holds it; else, the one
 * with the most that does not. A slot with more than twice its size is left to
 * others: while the block lives, the rest would neither serve another block nor go
 * back by age.
 */
static struct vmsi_slot *retained_for_block(struct vmsi_bins *bins, size_t bytes)
{
	unsigned bin = vmsi_bin_filled_from(bins, vmsi_bin_of(bytes) + 1);

	if (bin < VMSI_HEAP_BINS &&
	    bins->first[bin]->retained.touched <= 2 * bytes)
		return bins->first[bin];
	bin = vmsi_bin_filled_below(bins, vmsi_bin_of(bytes) + 1);
	return bin < VMSI_HEAP_BINS ? bins->first[bin] : NULL;
}

/*
 * For a block that grows: the slot that retains most, more than least and below
 * GROWTH_MOST times the block's size. It may grow no further, and while it lives
 * no other block gets the rest.
 */
static struct vmsi_slot *retained_for_growth(struct vmsi_bins *bins,
					     size_t bytes, size_t least)
{
	const unsigned most = vmsi_bin_of(GROWTH_MOST * bytes);
	const unsigned bin = vmsi_bin_filled_below(bins, most);

	return bin < VMSI_HEAP_BINS && bin > vmsi_bin_of(least) ?
		bins->first[bin] : NULL;
}

/*
 * For a block that may be dense or sparse: a slot with huge pages or with small
 * ones, as retained huge pages are in memory already. First one that holds the
 * block, else the one with most memory.
 */
static struct vmsi_slot *retained_of_any_pages(struct vmsi_slot_class *class,
					       size_t bytes)
{
	struct vmsi_slot *huge = retained_for_block(&class->bins[0], bytes);
	struct vmsi_slot *small = retained_for_block(&class->bins[1], bytes);

	if (!huge || !small)
		return huge ? huge : small;
	if (huge->retained.touched >= bytes)
		return huge;
	return small->retained.touched > huge->retained.touched ? small : huge;
}

static bool is_for_growth(enum vmsi_purpose purpose)
{
	return purpose == VMSI_FOR_GROWTH || purpose == VMSI_FOR_RETAINED_GROWTH;
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
	struct vmsi_bins *bins = &class->bins[purpose == VMSI_FOR_SPARSE_BLOCK &&
					      heap->huge_pages];
	struct vmsi_slot *slot;

	if (purpose == VMSI_FOR_RETAINED_GROWTH)
		slot = retained_for_growth(bins, bytes, GROWTH_LEAST * bytes);
	else if (purpose == VMSI_FOR_GROWTH)
		slot = retained_for_growth(bins, bytes, bytes);
	else if (purpose == VMSI_FOR_BLOCK)
		slot = retained_of_any_pages(class, bytes);
	else
		slot = retained_for_block(bins, bytes);
	if (slot)
		vmsi_retained_unlist(heap, &slot->retained);
	return slot;
}

/* Take any retained slot of a class: one with the least memory. */
static struct vmsi_slot *take_any(struct vms_heap *heap,
				  struct vmsi_slot_class *class)
{
	for (unsigned i = 0; i < 2; i++) {
		struct vmsi_bins *bins = &class->bins[i];
		unsigned bin = vmsi_bin_filled_from(bins, 0);
		struct vmsi_slot *slot;

		if (bin == VMSI_HEAP_BINS)
			continue;
		slot = bins->first[bin];
		vmsi_retained_unlist(heap, &slot->retained);
		return slot;
	}
	return NULL;
}

static struct vmsi_slot *take(struct vms_heap *heap, size_t addresses,
			      size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot_class *end = heap->layout.classes + VMSI_HEAP_CLASSES;
	struct vmsi_slot_class *first = heap->layout.classes;
	struct vmsi_slot *slot = NULL;

	while (first < end && addresses > vmsi_slot_capacity(first))
		first++;
	/* A block that grows may get a larger slot than it needs now. */
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		if (class == first || is_for_growth(purpose))
			slot = take_retained(heap, class, bytes, purpose);
	if (purpose == VMSI_FOR_RETAINED_GROWTH)
		return slot;
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		slot = unused_slot(class);
	/* Memory that fits badly is better than to refuse the block. */
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
 * Empty a slot for a block that is to be locked. It may have memory if a thread
 * freed it while another one called mlockall. NULL: the host refused to take the
 * memory back, and the slot is lost.
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

	/* Runs that have only free blocks give up their slots. */
	if (!slot && purpose != VMSI_FOR_RETAINED_GROWTH &&
	    vmsi_layout_has_slots(&heap->layout, addresses)) {
		(void)vmsi_heap_collect_all(heap);
		slot = take_locked(heap, addresses, bytes, purpose);
	}
	if (slot && vmsi_get(&slot->retained.to) > 0)
		vmsi_retained_use(heap, &slot->retained);
	if (slot && vmsi_get(&slot->room) > 0 && vmsi_heap_locks_new(heap))
		slot = empty_or_lose(heap, slot);
	if (slot) {
		atomic_store_explicit(&slot->grown, 0, memory_order_relaxed);
		slot->from_calloc = false;
		vmsi_set(&slot->size, 0);
	}
	return slot;
}
