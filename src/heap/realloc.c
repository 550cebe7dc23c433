/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "heap/block.h"
#include "heap/density.h"
#include "heap/grow.h"
#include "heap/heap.h"
#include "heap/request.h"
#include "heap/resize.h"
#include "host/host.h"

/* Blocks that become larger or smaller. */

/* Set the size of a block that stays where it is. Only its thread writes grown. */
static void set_size(struct vmsi_slot *slot, size_t old, size_t size)
{
	vmsi_set(&slot->size, size);
	if (size > old)
		atomic_store_explicit(
			&slot->grown,
			atomic_load_explicit(&slot->grown,
					     memory_order_relaxed) + 1,
			memory_order_relaxed);
}

/* --- growth ---------------------------------------------------------------- */

/* A block that grows gets huge pages, unless it is seen to be sparse. */
static void use_huge_pages(vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->small_pages &&
	    vmsi_slot_is_dense(heap, slot, vmsi_get(&slot->size)))
		vmsi_slot_set_small_pages(heap, slot, false);
}

/*
 * Move the pages of a block to another slot, where what is to follow them is
 * committed first, so that a refusal leaves the block where it is. Returns whether
 * it was moved, and sets *slot.
 */
static bool grow_by_move(vms_heap *heap, struct vmsi_slot **slot, size_t size,
			 enum vmsi_purpose purpose)
{
	struct vmsi_slot *old = *slot;
	struct vmsi_slot *larger =
		vmsi_grown_take(heap, vmsi_get(&old->room), size,
				old->small_pages, purpose);

	if (!larger)
		return false;
	vmsi_slot_note_written(old);
	if (vmsi_slot_move(heap, old, larger)) {
		vmsi_slot_put(heap, larger);
		return false;
	}
	vmsi_grown_publish(heap, larger, size);
	vmsi_slot_set_use(old, VMSI_SLOT_BUSY);
	vmsi_slot_put(heap, old);
	*slot = larger;
	return true;
}

/* Grow a block beyond its room: tries each way in turn, the cheapest first. */
static void *grow(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	const size_t old = vmsi_get(&slot->size);
	const bool had_surplus = vmsi_get(&slot->retained.to) > 0;
	const bool fits = size <= vmsi_slot_capacity(
		vmsi_class_of_slot(&heap->layout, slot));

	/* Into the retained memory behind its room. */
	vmsi_slot_take_surplus(heap, slot);
	if (size <= vmsi_get(&slot->room)) {
		set_size(slot, old, size);
		vmsi_slot_leave_surplus(heap, slot);
		return vmsi_block_of(heap, slot);
	}
	use_huge_pages(heap, slot);
	/* To a slot that retains much more than the block has. */
	if (fits && grow_by_move(heap, &slot, size, VMSI_FOR_RETAINED_GROWTH))
		return vmsi_block_of(heap, slot);
	/* In place, by committing more of its slot. */
	if (fits && !vmsi_slot_commit(heap, slot, 0, size, VMSI_REACH_AHEAD)) {
		set_size(slot, old, size);
		return vmsi_block_of(heap, slot);
	}
	/* To a larger slot, where its own is too small. */
	if (!fits && grow_by_move(heap, &slot, size, VMSI_FOR_GROWTH))
		return vmsi_block_of(heap, slot);
	/* Refused: the surplus that was taken above is one again. */
	if (had_surplus)
		vmsi_slot_leave_surplus(heap, slot);
	return NULL;
}

/* --- without growth, and the calls ----------------------------------------- */

/*
 * Make a block smaller. It keeps the memory behind its end, until this is more than
 * VMSI_RUN_MOST, and either this call cut off more than a quarter of the block or
 * less than half of the memory is used.
 */
static void *shrink(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	const size_t old = vmsi_get(&slot->size);
	size_t touched;

	vmsi_slot_note_written(slot);
	touched = vmsi_get(&slot->touched);
	vmsi_set(&slot->size, size);
	if (touched - size > VMSI_RUN_MOST &&
	    (old - size > old / 4 || size < touched / 2)) {
		vmsi_slot_take_surplus(heap, slot);
		vmsi_slot_give_back(heap, slot,
				    vmsi_align_up(size, vmsi_page_size()));
	}
	return vmsi_block_of(heap, slot);
}

static void *resize(vms_heap *heap, struct vmsi_slot *slot, void *block,
		    size_t size)
{
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		return vmsi_run_realloc(heap, slot, (uintptr_t)block, size);
	if (size > vmsi_get(&slot->room))
		return grow(heap, slot, size);
	return shrink(heap, slot, size);
}

static void *realloc_slowly(vms_heap *heap, struct vmsi_slot *slot, void *block,
			    size_t size)
{
	const int saved = errno;
	void *changed;

	vmsi_request_begin();
	do
		changed = resize(heap, slot, block, size);
	while (!changed && vmsi_request_again(heap, size));
	return vmsi_block_answer(heap, changed, saved);
}

/*
 * Whether a new size needs no call: the block neither outgrows its room nor shrinks
 * so far that memory may go back. False for the slot of a run, whose size is 0.
 */
static bool stays_in_room(const struct vmsi_slot *slot, size_t old, size_t size)
{
	const size_t touched = vmsi_get(&slot->touched);

	if (old == 0 || size == 0 || size > vmsi_get(&slot->room))
		return false;
	return size >= old ||
		(old <= touched && touched - size <= VMSI_RUN_MOST);
}

void *vmsi_heap_resize_in_room(vms_heap *heap, void *block, size_t size)
{
	struct vmsi_slot *slot = vmsi_block_find(heap, block);
	const size_t old = vmsi_get(&slot->size);

	if (!stays_in_room(slot, old, size))
		return NULL;
	set_size(slot, old, size);
	return block;
}

void *vms_heap_realloc(vms_heap *heap, void *block, size_t size)
{
	struct vmsi_slot *slot;
	size_t old;

	if (!block)
		return vms_heap_malloc(heap, size);
	slot = vmsi_block_find(heap, block);
	old = vmsi_get(&slot->size);
	if (!stays_in_room(slot, old, size))
		return realloc_slowly(heap, slot, block, size ? size : 1);
	set_size(slot, old, size);
	return block;
}
