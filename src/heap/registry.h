/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_REGISTRY_H
#define VMSI_HEAP_REGISTRY_H

struct vms_heap;

/* The list of all heaps of the process, for fork.c and reclaim.c. */

void vmsi_heap_register(struct vms_heap *heap);
void vmsi_heap_unregister(struct vms_heap *heap);

/*
 * The next heap in the list, or the first one for NULL; NULL: there is none. The
 * caller holds vmsi_reclaim_lock, so that no heap is closed meanwhile.
 */
struct vms_heap *vmsi_heap_registered_after(const struct vms_heap *heap);

/* Register the function by which heaps give back what they retain (reclaim.c). */
void vmsi_heap_handle_refusals(void);

#endif
