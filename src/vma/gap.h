/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_GAP_H
#define VMSI_VMA_GAP_H

#include "vma/vma.h"

/*
 * Inside the room: the index of gaps. Each mapping, and the end of the bounds,
 * owns the gap just below it; the index holds the owners of gaps that are not
 * empty, ordered by (gap, address). Mappings never pass each other, so an owner
 * whose start moves keeps its place while its gap stays the same.
 */

#define vmsi_container(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline struct vmsi_mapping *
vmsi_mapping_by_address(const struct vmsi_tree_node *node)
{
	return node ? vmsi_container(node, struct vmsi_mapping, by_address) : NULL;
}

static inline struct vmsi_mapping *
vmsi_mapping_by_gap(const struct vmsi_tree_node *node)
{
	return node ? vmsi_container(node, struct vmsi_mapping, by_gap) : NULL;
}

/* What the gap below owner, which may be the map's end, should be. */
size_t vmsi_gap_measure(const struct vmsi_map *map,
			const struct vmsi_mapping *owner);

/* Measure the gap below owner and give it its place in the index. */
void vmsi_gap_refresh(struct vmsi_map *map, struct vmsi_mapping *owner);

/* Take owner out of the index. */
void vmsi_gap_forget(struct vmsi_map *map, struct vmsi_mapping *owner);

#endif
