/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_LOCKS_H
#define VMSI_HEAP_LOCKS_H

struct vms_heap;

/* Take and release all locks of a heap: for fork, and to check invariants. */

void vmsi_heap_lock_all(struct vms_heap *heap);
void vmsi_heap_unlock_all(struct vms_heap *heap);

/* Make all locks anew in a child of fork, where no thread holds them. */
void vmsi_heap_renew_locks(struct vms_heap *heap);

#endif
