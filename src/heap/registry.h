/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_REGISTRY_H
#define VMSI_HEAP_REGISTRY_H

struct vms_heap;

/* All heaps of the process, for fork and for giving back (fork.c, reclaim.c). */

void vmsi_heap_register(struct vms_heap *heap);
void vmsi_heap_unregister(struct vms_heap *heap);

/*
 * The heap that is registered after one, or the first one for NULL; NULL: no more.
 * The caller holds vmsi_reclaim_lock, so that none is closed meanwhile.
 */
struct vms_heap *vmsi_heap_registered_after(const struct vms_heap *heap);

/* From now on heaps give back what they retain before a request is refused. */
void vmsi_heap_handle_refusals(void);

#endif
