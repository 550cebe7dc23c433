/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RETAIN_H
#define VMSI_HEAP_RETAIN_H

#include "heap/state.h"

/*
 * Slots that are free: which one the next block gets (take.c), how much the
 * others keep (retain.c) and when that goes back (collect.c); and the surplus of
 * live ones (surplus.c).
 */

/*
 * A busy slot of at least so many addresses; one that has memory from its last
 * block, where that is of use for so many bytes. NULL: all slots are taken.
 */
struct vmsi_slot *vmsi_slot_take(struct vms_heap *heap, size_t addresses,
				 size_t bytes, enum vmsi_purpose purpose);

/* A slot that is no longer busy: to be retained, or unused if it has no memory. */
void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Before the room of a live slot is changed: its surplus becomes room. Afterwards
 * the block may leave what it does not need yet; it must be live. freed_at stays
 * as it was when the slot was taken.
 */
void vmsi_slot_take_surplus(struct vms_heap *heap, struct vmsi_slot *slot);
void vmsi_slot_leave_surplus(struct vms_heap *heap, struct vmsi_slot *slot);

uint64_t vmsi_heap_now(void); /* milliseconds */

/* Look at ages, at most every so often; now is vmsi_heap_now(). */
void vmsi_heap_age(struct vms_heap *heap, uint64_t now);

/* What bins and ages are wrong in; NULL: nothing. Under heap->lock. */
const char *vmsi_heap_check_retained(struct vms_heap *heap, size_t *bytes);

/* Give back all that is retained. Returns the bytes. */
size_t vmsi_heap_collect_all(struct vms_heap *heap);

#endif
