/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_MEMLOCK_H
#define VMSI_HEAP_MEMLOCK_H

#include "heap/heap.h"

/* Locks the memory of blocks while mlockall(2) is in force. (memlock.c) */

/* Whether new blocks are locked (MCL_FUTURE). */
bool vmsi_heap_locks_new(const struct vms_heap *heap);

/* Lock memory that was just committed, if new blocks are. Returns 0 or -ENOMEM. */
int vmsi_heap_lock_new(struct vms_heap *heap, uintptr_t start, size_t length);

/* Unlock memory that is about to be given back, if it may be locked. */
void vmsi_heap_unlock(struct vms_heap *heap, uintptr_t start, size_t length);

/* Unlock addresses that were reserved again, which MCL_FUTURE has locked. */
void vmsi_heap_unlock_reserved(struct vms_heap *heap, uintptr_t start,
			       size_t length);

#endif
