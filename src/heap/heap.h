/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_HEAP_H
#define VMSI_HEAP_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/heap.h>

#include "base/lock.h"
#include "heap/atomic.h"
#include "heap/density.h"
#include "heap/layout.h"
#include "heap/retained.h"
#include "heap/run.h"
#include "heap/slot.h"

/* Figures of vms_heap_get_stats that only rise. */
struct vmsi_heap_counts {
	_Atomic uint64_t allocations;
	_Atomic uint64_t grown_in_place; /* of freed blocks, and those in runs */
	_Atomic uint64_t moves;
	_Atomic uint64_t moved_bytes;
	_Atomic uint64_t given_back;
	_Atomic uint64_t refusals;
};

/* A heap. Each part is declared beside the functions that may touch it. */
struct vms_heap {
	vms_space *space;
	bool huge_pages;         /* asks the host for huge pages */
	bool huge_unasked;       /* the host gives them to any memory */
	struct vmsi_lock lock;   /* guards all lists of slots, and the list of ages */
	struct vmsi_layout layout;
	struct vmsi_ages ages;
	struct vmsi_runs runs;
	struct vmsi_density density;
	_Atomic uint32_t locking; /* VMSI_HEAP_LOCK... (attributes.h) */
	struct vmsi_heap_counts counts;
	struct vms_heap *next;   /* in the registry (registry.h) */
};

/* How many slots of a class were ever used; the others are unused. */
static inline uint32_t vmsi_class_begun(struct vms_heap *heap,
					const struct vmsi_slot_class *class)
{
	uint32_t begun;

	vmsi_lock_acquire(&heap->lock);
	begun = class->begun;
	vmsi_lock_release(&heap->lock);
	return begun;
}

#endif
