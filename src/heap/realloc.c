/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "heap/block.h"
#include "heap/request.h"
#include "heap/resize.h"
#include "heap/retain.h"
#include "heap/run.h"
#include "heap/slot.h"
#include "host/host.h"

/* Blocks that become larger or smaller. */

/* --- growth ---------------------------------------------------------------- */

/* A block that grows is a full one, unless it is seen not to be. */
static void use_huge_pages(vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->plain &&
	    vmsi_slot_is_dense(heap, slot, vmsi_get(&slot->size)))
		vmsi_slot_set_plain(heap, slot, false);
}

/* The block stays where it is. Its thread alone counts how often it has grown. */
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

/*
 * The block's page tables go to another slot. What is to follow them there is
 * committed first, so that a refusal leaves the block where it is.
 */
static void *move_to_grow(vms_heap *heap, struct vmsi_slot *slot, size_t size,
			  enum vmsi_purpose purpose)
{
	/* What is moved takes its advice along. */
	struct vmsi_slot *larger = vmsi_slot_take_grower(
		heap, vmsi_get(&slot->room), size, slot->plain, purpose);

	if (!larger)
		return NULL;
	vmsi_slot_settle(slot);
	if (vmsi_slot_move(heap, slot, larger)) {
		vmsi_slot_put(heap, larger);
		return NULL;
	}
	vmsi_slot_publish_grown(heap, larger, size);
	vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	vmsi_slot_put(heap, slot);
	return vmsi_block_of(heap, larger);
}

static void *grow(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	const size_t capacity =
		vmsi_slot_capacity(vmsi_class_of_slot(heap, slot));
	const size_t old = vmsi_get(&slot->size);
	const bool had_surplus = vmsi_get(&slot->surplus) > 0;
	void *grown;

	/* Into the used memory that lies behind its room. */
	vmsi_slot_take_surplus(heap, slot);
	if (size <= vmsi_get(&slot->room)) {
		set_size(slot, old, size);
		vmsi_slot_leave_surplus(heap, slot);
		return vmsi_block_of(heap, slot);
	}
	use_huge_pages(heap, slot);
	if (size > capacity) {
		grown = move_to_grow(heap, slot, size, VMSI_FOR_GROWTH);
	} else {
		/* To used memory, before new memory comes to lie beside it. */
		grown = move_to_grow(heap, slot, size, VMSI_FOR_WARMTH);
		if (!grown && vmsi_slot_commit(heap, slot, size,
					       VMSI_COMMIT_GROWTH) == 0) {
			set_size(slot, old, size);
			grown = vmsi_block_of(heap, slot);
		}
	}
	/* A refusal does not make room of what was only its to grow into. */
	if (!grown && had_surplus)
		vmsi_slot_leave_surplus(heap, slot);
	return grown;
}

/* --- the other ways -------------------------------------------------------- */

/*
 * Little less is kept as it is; much less goes back to the system, and so does
 * what many times little has come to.
 */
static void *shrink(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	const size_t old = vmsi_get(&slot->size);
	size_t touched;

	vmsi_slot_settle(slot);
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
 * What is neither more than the slot has committed nor so much less that any
 * of it goes back. The size of a run is 0, and so no block of one is.
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
