/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_CHECK_H
#define VMSI_HEAP_CHECK_H

struct vms_heap;

/* The invariants of docs/invariants.md, H1 to H9, H15 and H16. */

/*
 * Check those that the locks guard. Returns NULL or which of them does not hold.
 * Takes every lock of the heap.
 */
const char *vmsi_heap_check(struct vms_heap *heap);

/*
 * Check that what the heap's space is charged is the sum over slots and the
 * blocks in runs (H16). No other thread may use the heap meanwhile.
 */
const char *vmsi_heap_check_charge(struct vms_heap *heap);

/* In debug builds end the program if vmsi_heap_check finds something. */
void vmsi_heap_verify(struct vms_heap *heap);

#endif
