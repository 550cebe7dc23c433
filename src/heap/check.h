/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_CHECK_H
#define VMSI_HEAP_CHECK_H

struct vms_heap;

/* Checks invariants H1 to H9, H15 and H16 of docs/invariants.md. */

/*
 * Check the invariants of what the heap's locks guard, and takes all of these.
 * Returns NULL, or what is wrong.
 */
const char *vmsi_heap_check(struct vms_heap *heap);

/*
 * Check that the charge of the heap's space is the sum over slots (H16). No other
 * thread may use the heap meanwhile. Returns NULL, or what is wrong.
 */
const char *vmsi_heap_check_charge(struct vms_heap *heap);

/* In debug builds panic if vmsi_heap_check finds something. */
void vmsi_heap_verify(struct vms_heap *heap);

#endif
