/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_MEMLOCK_H
#define VMSI_HEAP_MEMLOCK_H

#include "heap/heap.h"

/* The memory of blocks is locked while mlockall(2) is in force. (memlock.c) */

/* Whether blocks that are made from now on are locked. */
bool vmsi_heap_locks_new(const struct vms_heap *heap);

/* If so, lock memory that was just committed. Returns 0 or -ENOMEM. */
int vmsi_heap_lock_new(struct vms_heap *heap, uintptr_t start, size_t length);

/* Unlock memory that is about to be given back, if it may be locked. */
void vmsi_heap_unlock(struct vms_heap *heap, uintptr_t start, size_t length);

/* Unlock addresses that were reserved anew: the kernel has locked them unasked. */
void vmsi_heap_unlock_reserved(struct vms_heap *heap, uintptr_t start,
			       size_t length);

#endif
