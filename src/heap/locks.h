/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_LOCKS_H
#define VMSI_HEAP_LOCKS_H

struct vms_heap;

/* All locks of a heap at once, for fork and for the check of its invariants. */

void vmsi_heap_lock_all(struct vms_heap *heap);
void vmsi_heap_unlock_all(struct vms_heap *heap);

/* In a child of fork, where nobody holds them: none is taken. */
void vmsi_heap_renew_locks(struct vms_heap *heap);

#endif
