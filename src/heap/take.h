/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_TAKE_H
#define VMSI_HEAP_TAKE_H

#include <stddef.h>

struct vms_heap;
struct vmsi_slot;

/* Which of the free slots the next block gets. */

/* What a slot is taken for. */
enum vmsi_purpose {
	VMSI_FOR_BLOCK,          /* that may be dense or sparse (density.h) */
	VMSI_FOR_DENSE_BLOCK,    /* that will be written from end to end */
	VMSI_FOR_SPARSE_BLOCK,   /* that may be touched here and there only */
	VMSI_FOR_GROWTH,         /* a block that will grow on */
	VMSI_FOR_RETAINED_GROWTH, /* likewise, but only into retained memory */
};

/*
 * A busy slot of at least so many addresses; one that retains memory where that
 * is of use for so many bytes. NULL: all slots are taken.
 */
struct vmsi_slot *vmsi_slot_take(struct vms_heap *heap, size_t addresses,
				 size_t bytes, enum vmsi_purpose purpose);

#endif
