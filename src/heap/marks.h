/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_MARKS_H
#define VMSI_HEAP_MARKS_H

#include "heap/heap.h"

/*
 * A block whose memory the program has given other rights, advice, locks or a
 * memory policy is marked as changed. When it is freed, its memory is mapped anew,
 * so that the next block finds nothing of that. (attributes.c)
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
 * A busy slot gives its memory back if the program has changed it or locks all
 * memory; its surplus was taken before. If the host refuses, the slot is lost.
 */
void vmsi_slot_renew(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Whether a block of a run that moves takes along what the program has changed, or
 * locks. If so, vmsi_run_renew maps its old place anew when that is freed.
 */
bool vmsi_run_moves_changed(const struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/*
 * A busy block of a run gets new memory if the program has changed it; or only
 * loses its pages if the program locks all memory. Returns false if the host
 * refuses: nobody may get the block then.
 */
bool vmsi_run_renew(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index, uintptr_t address);

#endif
