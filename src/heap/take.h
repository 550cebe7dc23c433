/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_TAKE_H
#define VMSI_HEAP_TAKE_H

#include <stddef.h>

struct vms_heap;
struct vmsi_slot;

/* What a free slot is chosen for (density.h tells dense from sparse). */
enum vmsi_purpose {
	VMSI_FOR_BLOCK,          /* a block that may be dense or sparse */
	VMSI_FOR_DENSE_BLOCK,    /* a block that is expected to be dense */
	VMSI_FOR_SPARSE_BLOCK,   /* a block that is expected to be sparse */
	VMSI_FOR_GROWTH,         /* a block that grows and has to move */
	VMSI_FOR_RETAINED_GROWTH, /* one that moves only to retained memory */
};

/*
 * Choose a free slot of at least so many addresses for a block of so many bytes,
 * and make it busy. What it retained is its room. NULL: there is none.
 */
struct vmsi_slot *vmsi_slot_take(struct vms_heap *heap, size_t addresses,
				 size_t bytes, enum vmsi_purpose purpose);

#endif
