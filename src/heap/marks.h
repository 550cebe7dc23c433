/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_MARKS_H
#define VMSI_HEAP_MARKS_H

#include "heap/heap.h"

/* Marks of blocks whose memory the program has changed: see attributes.h. */

static inline bool vmsi_slot_is_changed(const struct vmsi_slot *slot)
{
	return atomic_load_explicit(&slot->changed, memory_order_relaxed);
}

static inline void vmsi_slot_set_changed(struct vmsi_slot *slot, bool changed)
{
	atomic_store_explicit(&slot->changed, changed, memory_order_relaxed);
}

/*
 * Give the room of a busy slot back, if the program has changed it or called
 * mlockall. If the host refuses, the slot is lost. The surplus was taken before.
 */
void vmsi_slot_renew(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Whether a block of a run that is to move may be changed or locked by the program.
 * If so it is marked, and vmsi_run_renew maps its old place anew.
 */
bool vmsi_run_moves_changed(const struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/*
 * Map a busy block of a run anew, if the program has changed it; or drop its pages,
 * if the program has called mlockall. False: the host refused to map it anew, and
 * no other may get the block.
 */
bool vmsi_run_renew(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index, uintptr_t address);

#endif
