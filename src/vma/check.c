/* SPDX-License-Identifier: MIT */
#include "vma/gap.h"

/* The invariants of the map. Each message begins with the number of its own. */

static const char *check_pair(const struct vmsi_mapping *below,
			      const struct vmsi_mapping *mapping)
{
	if (below->end > mapping->start)
		return "M2: mappings overlap or are out of order";
	if (below->end == mapping->start && mapping->start != mapping->end &&
	    vmsi_mapping_continues(below, mapping))
		return "M3: neighbours that could be one mapping";
	return NULL;
}

static const char *check_mapping(const struct vmsi_map *map,
				 const struct vmsi_mapping *mapping)
{
	if (mapping->start >= mapping->end)
		return "M1: a mapping is empty";
	if (mapping->start < map->bounds.start || mapping->end > map->bounds.end)
		return "M1: a mapping is out of bounds";
	if (!mapping->attributes.object && mapping->offset)
		return "M4: an offset into nothing";
	return NULL;
}

static const char *check_gap(const struct vmsi_map *map,
			     const struct vmsi_mapping *owner)
{
	if (owner->gap != vmsi_gap_measure(map, owner))
		return "M5: a gap has the wrong length";
	if (owner->gap && !vmsi_tree_holds(&map->by_gap, &owner->by_gap))
		return "M6: a gap is not in its index";
	return NULL;
}

struct totals {
	size_t mappings;
	size_t bytes;
	size_t gaps;
};

static const char *walk_addresses(const struct vmsi_map *map,
				  struct totals *totals)
{
	const struct vmsi_mapping *below = NULL, *owner;

	for (const struct vmsi_tree_node *node =
		     vmsi_tree_outermost(&map->by_address, VMSI_TREE_LEFT);
	     node; node = vmsi_tree_neighbour(node, VMSI_TREE_RIGHT)) {
		const char *wrong = NULL;

		owner = vmsi_mapping_by_address(node);
		if (owner != &map->end) {
			wrong = check_mapping(map, owner);
			totals->mappings++;
			totals->bytes += owner->end - owner->start;
		}
		if (!wrong && below)
			wrong = check_pair(below, owner);
		if (!wrong)
			wrong = check_gap(map, owner);
		if (wrong)
			return wrong;
		totals->gaps += owner->gap != 0;
		below = owner;
	}
	return below == &map->end ? NULL : "M1: a mapping is out of bounds";
}

static const char *walk_gaps(const struct vmsi_map *map)
{
	const struct vmsi_mapping *before = NULL, *owner;

	for (const struct vmsi_tree_node *node =
		     vmsi_tree_outermost(&map->by_gap, VMSI_TREE_LEFT);
	     node; node = vmsi_tree_neighbour(node, VMSI_TREE_RIGHT)) {
		owner = vmsi_mapping_by_gap(node);
		if (!owner->gap)
			return "M6: no gap, but in the index";
		if (before && (before->gap > owner->gap ||
			       (before->gap == owner->gap &&
				before->start >= owner->start)))
			return "M6: gaps are out of order";
		before = owner;
	}
	return NULL;
}

const char *vmsi_map_check(const struct vmsi_map *map)
{
	struct totals totals = { 0 };
	/* The links first: the walks trust them. */
	const char *wrong = vmsi_tree_check(&map->by_address, map->count + 1);

	if (!wrong)
		wrong = walk_addresses(map, &totals);
	if (!wrong)
		wrong = vmsi_tree_check(&map->by_gap, totals.gaps);
	if (!wrong)
		wrong = walk_gaps(map);
	if (wrong)
		return wrong;
	if (totals.bytes != map->mapped)
		return "M7: the sum of the mappings is not what is counted";
	if (totals.mappings != map->pool.used_count)
		return "M8: a record is lost or used twice";
	return NULL;
}
