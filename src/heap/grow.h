/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_GROW_H
#define VMSI_HEAP_GROW_H

#include <stdbool.h>
#include <stddef.h>

#include "heap/take.h"

struct vms_heap;
struct vmsi_slot;

/* Slots that blocks move to when they outgrow a smaller slot or their run. */

/*
 * Take a slot for a block that is to grow to size, and commit it from held on: the
 * block brings the pages below with it. The slot is busy. NULL: no slot, or no
 * memory.
 */
struct vmsi_slot *vmsi_grown_take(struct vms_heap *heap, size_t held,
				  size_t size, bool small_pages,
				  enum vmsi_purpose purpose);

/* Make the slot live. The room that its block does not need becomes surplus. */
void vmsi_grown_publish(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t size);

#endif
