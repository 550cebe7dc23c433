/* SPDX-License-Identifier: MIT */
#include "vma/vma.h"

#include "base/panic.h"
#include "vma/gap.h"

/*
 * The map's last record stands for the end of the bounds and is the only one that
 * is empty. Callers of the map get NULL in its place.
 */
static struct vmsi_mapping *unless_end(struct vmsi_mapping *mapping)
{
	return mapping->start != mapping->end ? mapping : NULL;
}

void vmsi_map_init(struct vmsi_map *map, struct vmsi_range bounds,
		   size_t stack_guard, struct vmsi_pool_source source)
{
	*map = (struct vmsi_map){
		.bounds = bounds,
		.stack_guard = stack_guard,
		.end = { .start = bounds.end, .end = bounds.end },
		.address_bits = bounds.start | bounds.end,
	};
	vmsi_pool_init(&map->pool, sizeof(struct vmsi_mapping), source);
	vmsi_tree_pool_init(&map->nodes, source);
	vmsi_tree_init(&map->by_address, &map->nodes);
	vmsi_tree_init(&map->by_gap, &map->nodes);
	vmsi_gap_refresh(map, &map->end);
}

void vmsi_map_destroy(struct vmsi_map *map)
{
	struct vmsi_pool_source source = map->pool.source;

	vmsi_pool_release(&map->pool);
	vmsi_pool_release(&map->nodes);
	vmsi_map_init(map, map->bounds, map->stack_guard, source);
}

/*
 * How many nodes to have free, so that count more mappings can be inserted. A
 * mapping, like the end of the bounds, has at most one entry in each tree, and
 * the number of entries bounds that of the nodes.
 */
static size_t nodes_needed(const struct vmsi_map *map, size_t count)
{
	size_t most = 2 * vmsi_tree_nodes_max(map->count + 1 + count);

	return most - map->nodes.used_count;
}

int vmsi_map_reserve(struct vmsi_map *map, size_t count)
{
	int error = vmsi_pool_reserve(&map->pool, count);

	return error ? error :
		vmsi_pool_reserve(&map->nodes, nodes_needed(map, count));
}

/*
 * Find the first mapping that ends above an address, as vmsi_map_find does. Where
 * there is none, this returns the record that stands for the end of the bounds.
 */
static struct vmsi_mapping *first_above(const struct vmsi_map *map,
					uintptr_t address)
{
	struct vmsi_tree_cursor cursor;

	vmsi_tree_seek(&map->by_address, vmsi_address_key(address, UINTPTR_MAX),
		       &cursor);
	/* Keys have the mapping's end, so that no other record is read. */
	if (vmsi_tree_is_entry(&cursor) && vmsi_tree_key(&cursor).minor > address)
		return vmsi_tree_entry(&cursor);
	return vmsi_tree_next(&map->by_address, &cursor) ?
		vmsi_tree_entry(&cursor) : (struct vmsi_mapping *)&map->end;
}

struct vmsi_mapping *vmsi_map_find(const struct vmsi_map *map,
				   uintptr_t address)
{
	return unless_end(first_above(map, address));
}

struct vmsi_mapping *vmsi_map_lookup(const struct vmsi_map *map,
				     uintptr_t address)
{
	struct vmsi_mapping *mapping = vmsi_map_find(map, address);

	return mapping && mapping->start <= address ? mapping : NULL;
}

struct vmsi_mapping *vmsi_map_next(const struct vmsi_mapping *mapping)
{
	return unless_end(mapping->next);
}

struct vmsi_mapping *vmsi_map_previous(const struct vmsi_mapping *mapping)
{
	return mapping->previous;
}

bool vmsi_map_is_free(const struct vmsi_map *map, struct vmsi_range range)
{
	const struct vmsi_mapping *mapping = vmsi_map_find(map, range.start);

	return range.start >= range.end || !mapping ||
		mapping->start >= range.end;
}

bool vmsi_mapping_continues(const struct vmsi_mapping *a,
			    const struct vmsi_mapping *b)
{
	const struct vmsi_attributes *x = &a->attributes;
	const struct vmsi_attributes *y = &b->attributes;

	return x->prot == y->prot &&
		((x->flags ^ y->flags) & ~VMSI_HINT_FLAGS) == 0 &&
		x->object == y->object && x->name == y->name &&
		x->page_shift == y->page_shift &&
		(!x->object || a->offset + (a->end - a->start) == b->offset);
}

/*
 * Change the range of a mapping; what it adds is free. Where its start moves, the
 * caller measures its gap again; where its end moves, the gap of the next one.
 */
static void set_range(struct vmsi_map *map, struct vmsi_mapping *mapping,
		      uintptr_t start, uintptr_t end)
{
	if (start != mapping->start)
		vmsi_gap_forget(map, mapping);
	vmsi_tree_move(&map->by_address,
		       vmsi_address_key(mapping->start, mapping->end),
		       vmsi_address_key(start, end));
	if (mapping->attributes.object)
		mapping->offset += start - mapping->start;
	mapping->start = start;
	mapping->end = end;
}

static void add_hints(struct vmsi_mapping *mapping,
		      const struct vmsi_mapping *other)
{
	mapping->attributes.flags |= other->attributes.flags & VMSI_HINT_FLAGS;
}

/* Insert a new record with these contents just below upper. */
static struct vmsi_mapping *link_below(struct vmsi_map *map,
				       struct vmsi_mapping *upper,
				       const struct vmsi_mapping *contents)
{
	struct vmsi_mapping *mapping = vmsi_pool_take(&map->pool);

	*mapping = *contents;
	mapping->gap = 0;
	mapping->previous = upper->previous;
	mapping->next = upper;
	if (mapping->previous)
		mapping->previous->next = mapping;
	upper->previous = mapping;
	vmsi_tree_insert(&map->by_address,
			 vmsi_address_key(mapping->start, mapping->end),
			 mapping);
	map->count++;
	return mapping;
}

static void unlink_mapping(struct vmsi_map *map, struct vmsi_mapping *mapping)
{
	vmsi_gap_forget(map, mapping);
	vmsi_tree_remove(&map->by_address,
			 vmsi_address_key(mapping->start, mapping->end));
	if (mapping->previous)
		mapping->previous->next = mapping->next;
	mapping->next->previous = mapping->previous;
	vmsi_pool_give(&map->pool, mapping);
	map->count--;
}

/*
 * Merge two neighbours, if they can be one mapping. No gap changes.
 *
 *	[ lower )[ upper )   ->   [      lower      )
 */
static bool merge(struct vmsi_map *map, struct vmsi_mapping *lower,
		  struct vmsi_mapping *upper)
{
	if (lower->end != upper->start || !vmsi_mapping_continues(lower, upper))
		return false;
	uintptr_t end = upper->end;

	add_hints(lower, upper);
	unlink_mapping(map, upper);
	set_range(map, lower, lower->start, end);
	return true;
}

/*
 * Extend a neighbour by range, if the two can be one mapping; NULL: none can.
 *
 *	[ lower )[ range )     [ upper )   ->   [      lower     )   [ upper )
 *	[ lower )     [ range )[ upper )   ->   [ lower )   [      upper     )
 *	[ lower )[ range )[ upper )        ->   [           lower            )
 */
static struct vmsi_mapping *absorb(struct vmsi_map *map,
				   struct vmsi_mapping *lower,
				   const struct vmsi_mapping *range,
				   struct vmsi_mapping *upper)
{
	bool below = lower && lower->end == range->start &&
		vmsi_mapping_continues(lower, range);
	bool above = upper->start == range->end && unless_end(upper) &&
		vmsi_mapping_continues(range, upper);

	if (below) {
		add_hints(lower, range);
		set_range(map, lower, lower->start, range->end);
		if (above)
			merge(map, lower, upper);
		return lower;
	}
	if (above) {
		add_hints(upper, range);
		set_range(map, upper, range->start, upper->end);
		return upper;
	}
	return NULL;
}

/* Prefetch both cache lines across which a record may lie. */
static void prefetch_record(const struct vmsi_mapping *mapping)
{
	__builtin_prefetch(mapping, 1);
	__builtin_prefetch((const char *)(mapping + 1) - 1, 1);
}

/*
 * Prefetch all at once what the insertion or removal of range will read one after
 * the other: the records around, and the places in by_gap of the gap below range,
 * of the one above and of both as one. It is only a hint, and ignores guards.
 *
 *	[ below )  gap  [ range )  gap  [ above )
 */
static void expect_change(const struct vmsi_map *map, struct vmsi_range range)
{
	struct vmsi_range around = map->bounds;
	struct vmsi_tree_cursor cursor;

	if (!vmsi_tree_is_large(&map->by_address))
		return;
	__builtin_prefetch(map->pool.free_list, 1);
	vmsi_tree_seek(&map->by_address, vmsi_address_key(range.start, 0),
		       &cursor);
	if (vmsi_tree_is_entry(&cursor)) {
		around.start = vmsi_tree_key(&cursor).minor;
		prefetch_record(vmsi_tree_entry(&cursor));
	}
	while (vmsi_tree_next(&map->by_address, &cursor)) {
		prefetch_record(vmsi_tree_entry(&cursor));
		around.end = vmsi_tree_key(&cursor).major;
		if (around.end != range.start)
			break;
	}
	vmsi_gap_expect(map, around.start, range.start);
	vmsi_gap_expect(map, range.end, around.end);
	vmsi_gap_expect(map, around.start, around.end);
}

struct vmsi_mapping *vmsi_map_insert(struct vmsi_map *map,
				     struct vmsi_range range, uint64_t offset,
				     const struct vmsi_attributes *attributes)
{
	struct vmsi_mapping contents = {
		.start = range.start,
		.end = range.end,
		.offset = attributes->object ? offset : 0,
		.attributes = *attributes,
	};
	struct vmsi_mapping *upper;

	expect_change(map, range);
	upper = first_above(map, range.start);
	vmsi_debug_check(map->bounds.start <= range.start &&
			 range.start < range.end && range.end <= upper->start,
			 "a mapping was inserted where there is no room");
	map->address_bits |= range.start | range.end;
	map->mapped += vmsi_range_length(range);

	struct vmsi_mapping *mapping =
		absorb(map, upper->previous, &contents, upper);

	if (!mapping)
		mapping = link_below(map, upper, &contents);
	vmsi_gap_refresh(map, mapping);
	vmsi_gap_refresh(map, mapping->next);
	return mapping;
}

/*
 * Split the mapping that crosses address, if one does. No gap changes.
 *
 *	[     mapping     )   ->   [ mapping )[ upper )
 *	        ^ address
 *
 * Returns the first mapping at or above address, or the end of the bounds.
 */
static struct vmsi_mapping *split(struct vmsi_map *map, uintptr_t address)
{
	struct vmsi_mapping *mapping = first_above(map, address);

	if (!unless_end(mapping) || mapping->start >= address)
		return mapping;

	struct vmsi_mapping upper = *mapping;

	upper.start = address;
	if (upper.attributes.object)
		upper.offset += address - mapping->start;
	set_range(map, mapping, mapping->start, address);
	map->address_bits |= address;
	return link_below(map, mapping->next, &upper);
}

void vmsi_map_erase(struct vmsi_map *map, struct vmsi_range range)
{
	struct vmsi_mapping *mapping;

	expect_change(map, range);
	mapping = first_above(map, range.start);
	if (mapping->start >= range.end || range.start >= range.end)
		return;
	map->address_bits |= range.start | range.end;
	if (mapping->start < range.start && mapping->end > range.end)
		mapping = split(map, range.start);
	if (mapping->start < range.start) {
		map->mapped -= mapping->end - range.start;
		set_range(map, mapping, mapping->start, range.start);
		mapping = mapping->next;
	}
	while (unless_end(mapping) && mapping->end <= range.end) {
		struct vmsi_mapping *above = mapping->next;

		map->mapped -= mapping->end - mapping->start;
		unlink_mapping(map, mapping);
		mapping = above;
	}
	if (mapping->start < range.end) {
		map->mapped -= range.end - mapping->start;
		set_range(map, mapping, range.end, mapping->end);
	}
	vmsi_gap_refresh(map, mapping);
}

void vmsi_map_update(struct vmsi_map *map, struct vmsi_range range,
		     void (*change)(struct vmsi_mapping *piece, void *context),
		     void *context)
{
	if (range.start >= range.end)
		return;
	split(map, range.end);

	struct vmsi_mapping *mapping = split(map, range.start);
	struct vmsi_mapping *below = mapping->previous;

	while (mapping->start < range.end) {
		struct vmsi_mapping *above = mapping->next;

		change(mapping, context);
		if (!mapping->attributes.object)
			mapping->offset = 0;
		/* VMSI_GROWSDOWN, which may have changed, makes the gap shorter. */
		vmsi_gap_refresh(map, mapping);
		if (!below || !merge(map, below, mapping))
			below = mapping;
		mapping = above;
	}
	if (below && unless_end(mapping))
		merge(map, below, mapping);
}
