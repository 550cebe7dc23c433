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
 * A block is dense if at least half of its pages are in memory, and sparse
 * otherwise. Dense blocks get huge pages; with these a sparse block would take 2
 * MiB of memory for each byte that is touched.
 */

/* What the heap has learned from blocks so far. */
struct vmsi_density {
	/* Freed blocks of calloc: the dense less the sparse ones. */
	_Atomic int of_calloc;
	/* Blocks of malloc of up to so many bytes are expected to be dense. */
	_Atomic size_t dense_up_to;
	/* The latest block of malloc on small pages; it may be freed. */
	struct vmsi_slot *_Atomic latest;
};

/* The purpose to take a slot for, by what is expected of such blocks. */
enum vmsi_purpose vmsi_purpose_of_malloc(struct vms_heap *heap, size_t size);
enum vmsi_purpose vmsi_purpose_of_calloc(const struct vms_heap *heap);

/* Note a new block of malloc, which may be looked at when the next one is made. */
void vmsi_density_watch(struct vms_heap *heap, struct vmsi_slot *slot);

/* Learn from a block that is being freed, while its slot is as it was. */
void vmsi_density_learn(struct vms_heap *heap, struct vmsi_slot *slot);

/* Whether the first bytes of a slot are dense, by a sample of their pages. */
bool vmsi_slot_is_dense(struct vms_heap *heap, const struct vmsi_slot *slot,
			size_t bytes);

#endif
