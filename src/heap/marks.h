/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_MARKS_H
#define VMSI_HEAP_MARKS_H

#include "heap/heap.h"

/*
 * Marks of blocks whose memory the program has changed, and the new memory that
 * these get before it goes to the next block. (attributes.c)
 */

static inline bool vmsi_slot_is_changed(const struct vmsi_slot *slot)
{
	return atomic_load_explicit(&slot->changed, memory_order_relaxed);
}

static inline void vmsi_slot_set_changed(struct vmsi_slot *slot, bool changed)
{
	atomic_store_explicit(&slot->changed, changed, memory_order_relaxed);
}

/*
 * A busy slot, the surplus of which was taken, loses its memory if the program
 * has changed it or locks all memory. Where the host refuses, the slot is lost.
 */
void vmsi_slot_renew(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Whether a block of a run is to be moved with what the program has made of its
 * memory, or with locks. Its old place is renewed when it is freed then.
 */
bool vmsi_run_moves_changed(const struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/*
 * Likewise the memory of a busy block in a run, which stays committed if the host
 * lets it. Returns false where the host refuses: nobody may get the block.
 */
bool vmsi_run_renew(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index, uintptr_t address);

#endif
