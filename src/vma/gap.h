/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_GAP_H
#define VMSI_VMA_GAP_H

#include "vma/vma.h"

/*
 * Inside the room: the index of gaps. Each mapping, and the end of the bounds,
 * owns the gap just below it; the index holds the owners of gaps that are not
 * empty, ordered by (gap, start). An owner is taken out before its start moves.
 */

/* The key of a mapping in by_address. Searches compare starts only. */
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

/* What the gap below owner, which may be the map's end, should be. */
size_t vmsi_gap_measure(const struct vmsi_map *map,
			const struct vmsi_mapping *owner);

/* Measure the gap below owner and give it its place in the index. */
void vmsi_gap_refresh(struct vmsi_map *map, struct vmsi_mapping *owner);

/* Begin to read the place in the index of a gap that is from start to end. */
void vmsi_gap_expect(const struct vmsi_map *map, uintptr_t start, uintptr_t end);

/* Take owner out of the index. */
void vmsi_gap_forget(struct vmsi_map *map, struct vmsi_mapping *owner);

#endif
