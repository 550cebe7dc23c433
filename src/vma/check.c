/* SPDX-License-Identifier: MIT */
#include "vma/gap.h"

/* Checks the map. Messages begin with a number of docs/invariants.md. */

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
	if (owner->gap &&
	    vmsi_tree_find(&map->by_gap, vmsi_gap_key(owner)) != owner)
		return "M6: a gap is not in its index";
	return NULL;
}

struct totals {
	size_t mappings;
	size_t bytes;
	size_t gaps;
};

/* Check each mapping in the order of by_address, which its links must have too. */
static const char *walk_mappings(const struct vmsi_map *map,
				 struct totals *totals)
{
	struct vmsi_tree_cursor cursor;
	const struct vmsi_mapping *below = NULL, *mapping;
	const char *wrong;

	vmsi_tree_seek(&map->by_address, vmsi_address_key(0, 0), &cursor);
	while (vmsi_tree_next(&map->by_address, &cursor)) {
		struct vmsi_tree_key key = vmsi_tree_key(&cursor);

		mapping = vmsi_tree_entry(&cursor);
		wrong = check_mapping(map, mapping);
		if (!wrong && below)
			wrong = check_pair(below, mapping);
		if (!wrong && (key.major != mapping->start ||
			       key.minor != mapping->end))
			wrong = "M2: a mapping is not at its place in the index";
		if (!wrong && (mapping->previous != below ||
			       (below && below->next != mapping)))
			wrong = "M2: a link leads elsewhere";
		if (!wrong)
			wrong = check_gap(map, mapping);
		if (wrong)
			return wrong;
		totals->mappings++;
		totals->bytes += mapping->end - mapping->start;
		totals->gaps += mapping->gap != 0;
		below = mapping;
	}
	if (map->end.previous != below || (below && below->next != &map->end))
		return "M2: a link leads elsewhere";
	totals->gaps += map->end.gap != 0;
	return check_gap(map, &map->end);
}

const char *vmsi_map_check(const struct vmsi_map *map)
{
	struct totals totals = { 0 };
	size_t address_nodes, gap_nodes;
	/* The tree's own structure first, which walk_mappings relies on. */
	const char *wrong = vmsi_tree_check(&map->by_address, map->count,
					    &address_nodes);

	if (!wrong)
		wrong = walk_mappings(map, &totals);
	/* All gaps are in by_gap; with as many entries as gaps it has no others. */
	if (!wrong)
		wrong = vmsi_tree_check(&map->by_gap, totals.gaps, &gap_nodes);
	if (wrong)
		return wrong;
	if (totals.bytes != map->mapped)
		return "M7: the sum of the mappings is not what is counted";
	if (totals.mappings != map->pool.used_count)
		return "M8: a record is lost or used twice";
	if (address_nodes + gap_nodes != map->nodes.used_count)
		return "M8: a node is lost or used twice";
	return NULL;
}
