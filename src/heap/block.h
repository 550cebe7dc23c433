/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_BLOCK_H
#define VMSI_HEAP_BLOCK_H

#include "base/panic.h"
#include "heap/heap.h"

/* How public calls on blocks begin and end. (block.c) */

/*
 * The slot of a live block, or of the run that may hold it. Panics if the address
 * is no such block. Inline for vms_heap_realloc in room, which does little else.
 */
static inline struct vmsi_slot *vmsi_block_find(vms_heap *heap,
						const void *block)
{
	const uintptr_t address = (uintptr_t)block;
	struct vmsi_slot_class *class;
	struct vmsi_slot *slot;

	if (!vmsi_layout_has(&heap->layout, block))
		vmsi_panic("heap: given a pointer that it does not own");
	class = vmsi_class_of(&heap->layout, address);
	slot = vmsi_slot_of(class, address);
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		return slot;
	if (vmsi_slot_use(slot) != VMSI_SLOT_LIVE)
		vmsi_panic("heap: given a block that is not in use");
	if (!vmsi_is_aligned(address, vmsi_slot_capacity(class)))
		vmsi_panic("heap: given a pointer into a block");
	return slot;
}

/* The block at the start of a slot that is no run. */
void *vmsi_block_of(vms_heap *heap, const struct vmsi_slot *slot);

/*
 * End a call that returns a block. If it is NULL, count the refusal and set errno
 * to ENOMEM; else set errno to what it was before the call: saved.
 */
void *vmsi_block_answer(vms_heap *heap, void *block, int saved);

#endif
