/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_GROW_H
#define VMSI_HEAP_GROW_H

#include <stdbool.h>
#include <stddef.h>

#include "heap/take.h"

struct vms_heap;
struct vmsi_slot;

/* Slots that blocks move to when they grow out of smaller slots or out of runs. */

/*
 * A busy slot for a block that moves there to grow to size. It is committed from
 * held on, since the block brings that many bytes along. NULL: no slot, or no
 * memory.
 */
struct vmsi_slot *vmsi_grown_take(struct vms_heap *heap, size_t held,
				  size_t size, bool small_pages,
				  enum vmsi_purpose purpose);

/* The slot holds the block now; what the block does not need yet is a surplus. */
void vmsi_grown_publish(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t size);

#endif
