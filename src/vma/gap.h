/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_GAP_H
#define VMSI_VMA_GAP_H

#include "vma/vma.h"

/*
 * The index of gaps, for the files of src/vma alone. A gap is all that is free
 * between two neighbouring mappings, less the guard below a VMSI_GROWSDOWN one.
 * The mapping above it, or the end of the bounds, owns it and has its length in
 * the field gap. by_gap holds the owners of gaps that are not empty, ordered by
 * (gap, start); so an owner is taken out before its start moves.
 */

/* The key of a mapping in by_address. No two mappings have the same start. */
static inline struct vmsi_tree_key vmsi_address_key(uintptr_t start,
						    uintptr_t end)
{
	return (struct vmsi_tree_key){ start, end };
}

/* The key of an owner in by_gap. */
static inline struct vmsi_tree_key vmsi_gap_key(const struct vmsi_mapping *owner)
{
	return (struct vmsi_tree_key){ owner->gap, owner->start };
}

/* The length of the gap below owner, which may be the map's end. */
size_t vmsi_gap_measure(const struct vmsi_map *map,
			const struct vmsi_mapping *owner);

/* Measure the gap below owner, and index it by the new length. */
void vmsi_gap_refresh(struct vmsi_map *map, struct vmsi_mapping *owner);

/* Prefetch the place in by_gap where a gap from start to end is or will be. */
void vmsi_gap_expect(const struct vmsi_map *map, uintptr_t start, uintptr_t end);

/* Take owner out of by_gap, and set its gap to 0. */
void vmsi_gap_forget(struct vmsi_map *map, struct vmsi_mapping *owner);

#endif
