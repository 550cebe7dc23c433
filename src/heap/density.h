/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_DENSITY_H
#define VMSI_HEAP_DENSITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "heap/take.h"

struct vms_heap;
struct vmsi_slot;

/*
 * Memory is dense if at least half of its pages are in memory, and sparse
 * otherwise. Dense memory gets huge pages; sparse memory would hold 2 MiB for each
 * byte that is touched.
 */

/* What was learned from the blocks that there were. */
struct vmsi_density {
	/* Blocks of calloc that were dense, less those that were sparse; lately. */
	_Atomic int of_calloc;
	/* Blocks of malloc of up to so many bytes are expected to be dense. */
	_Atomic size_t dense_up_to;
	/* The latest block that got small pages, if any; it may be gone. */
	struct vmsi_slot *_Atomic latest;
};

/* What a slot is to be taken for, for a block of malloc and for one of calloc. */
enum vmsi_purpose vmsi_purpose_of_malloc(struct vms_heap *heap, size_t size);
enum vmsi_purpose vmsi_purpose_of_calloc(const struct vms_heap *heap);

/* A block of malloc was handed out: others like it may learn from it. */
void vmsi_density_watch(struct vms_heap *heap, struct vmsi_slot *slot);

/* A block is freed; called before anything of it is changed. */
void vmsi_density_learn(struct vms_heap *heap, struct vmsi_slot *slot);

/* Whether the first bytes of a slot are dense, as far as a sample tells. */
bool vmsi_slot_is_dense(struct vms_heap *heap, const struct vmsi_slot *slot,
			size_t bytes);

#endif
