/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RETAIN_PARTS_H
#define VMSI_HEAP_RETAIN_PARTS_H

#include "heap/state.h"

/* What the files behind retain.h have in common, the lowest first. */

/* --- retain_lists.c: the lists. The first three under heap->lock ---------- */

/* The list of ages has the slot, in its place by freed_at. */
void vmsi_age_add(struct vms_heap *heap, struct vmsi_slot *slot);
void vmsi_age_remove(struct vms_heap *heap, struct vmsi_slot *slot);

/* Take a retained slot out of the lists, to be changed by the calling thread. */
void vmsi_slot_withdraw(struct vms_heap *heap, struct vmsi_slot_class *class,
			struct vmsi_slot *slot);

/* A busy slot that has memory is retained, in its place by age. */
void vmsi_slot_put_retained(struct vms_heap *heap, struct vmsi_slot *slot);

/* A slot that could not be mapped anew: it is tried again when all is collected. */
void vmsi_slot_put_lost(struct vms_heap *heap, struct vmsi_slot *slot);

/* --- surplus.c: memory behind live blocks --------------------------------- */

/* Held as long as memory behind a live block is given back, or offered. */
void vmsi_surplus_lock(struct vms_heap *heap);
void vmsi_surplus_unlock(struct vms_heap *heap);

/* After this the memory may be given back at any time. */
void vmsi_surplus_list(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Withdraw a slot of the list of ages, whatever of it is there. Under both
 * locks: that of the surplus, and heap->lock.
 */
void vmsi_slot_withdraw_any(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Of a surplus that was withdrawn give back its end, so many bytes or more, under
 * the lock of the surplus. Returns the bytes; 0: the host keeps it.
 */
size_t vmsi_surplus_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			      size_t least);

/* --- retain.c: how much is kept ------------------------------------------- */

/* Remember by and by less of the most that was used. */
void vmsi_heap_forget_used(struct vms_heap *heap);

/*
 * Put a slot that is not busy any more, as vmsi_slot_put() does; but of what is
 * retained beyond the limit, the oldest is still to go.
 */
void vmsi_slot_put_untrimmed(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Give back what was freed before a time, and the oldest as long as more than
 * the limit is retained. Returns the bytes.
 */
size_t vmsi_heap_trim(struct vms_heap *heap, size_t limit, uint64_t before);

#endif
