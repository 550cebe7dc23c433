/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_MEMLOCK_H
#define VMSI_HEAP_MEMLOCK_H

#include "heap/heap.h"

/* What blocks have is locked while mlockall(2) is in force. (memlock.c) */

/* Whether blocks that are made are locked. */
bool vmsi_heap_locks_new(const struct vms_heap *heap);

/* If they are, lock what was committed. Returns 0, or -ENOMEM. */
int vmsi_heap_lock_new(struct vms_heap *heap, uintptr_t start, size_t length);

/* Before memory is given back that may be locked. */
void vmsi_heap_unlock(struct vms_heap *heap, uintptr_t start, size_t length);

/* After addresses were reserved anew, which MCL_FUTURE has locked. */
void vmsi_heap_unlock_reserved(struct vms_heap *heap, uintptr_t start,
			       size_t length);

#endif
