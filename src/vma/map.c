/* SPDX-License-Identifier: MIT */
#include "vma/vma.h"

#include "base/panic.h"
#include "vma/gap.h"

/* The end of the bounds is the only owner of a gap that maps nothing. */
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
	vmsi_tree_insert(&map->by_address, NULL, VMSI_TREE_LEFT,
			 &map->end.by_address);
	vmsi_gap_refresh(map, &map->end);
}

void vmsi_map_destroy(struct vmsi_map *map)
{
	struct vmsi_pool_source source = map->pool.source;

	vmsi_pool_release(&map->pool);
	vmsi_map_init(map, map->bounds, map->stack_guard, source);
}

int vmsi_map_reserve(struct vmsi_map *map, size_t count)
{
	return vmsi_pool_reserve(&map->pool, count);
}

/* As vmsi_map_find, but with the end of the bounds in the place of NULL. */
static struct vmsi_mapping *first_above(const struct vmsi_map *map,
					uintptr_t address)
{
	struct vmsi_mapping *first = (struct vmsi_mapping *)&map->end;
	const struct vmsi_tree_node *node = map->by_address.root;

	while (node) {
		struct vmsi_mapping *mapping = vmsi_mapping_by_address(node);

		if (address >= mapping->end) {
			node = node->child[VMSI_TREE_RIGHT];
			continue;
		}
		first = mapping;
		if (address >= mapping->start)
			break;
		node = node->child[VMSI_TREE_LEFT];
	}
	return first;
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

/* Above every mapping there is another or the end of the bounds. */
static struct vmsi_mapping *owner_above(const struct vmsi_mapping *mapping)
{
	return vmsi_container(vmsi_tree_neighbour(&mapping->by_address,
						  VMSI_TREE_RIGHT),
			      struct vmsi_mapping, by_address);
}

struct vmsi_mapping *vmsi_map_next(const struct vmsi_mapping *mapping)
{
	return unless_end(owner_above(mapping));
}

struct vmsi_mapping *vmsi_map_previous(const struct vmsi_mapping *mapping)
{
	return vmsi_mapping_by_address(
		vmsi_tree_neighbour(&mapping->by_address, VMSI_TREE_LEFT));
}

uintptr_t vmsi_map_run_end(const struct vmsi_map *map, uintptr_t address,
			   uintptr_t limit)
{
	const struct vmsi_mapping *mapping = vmsi_map_find(map, address);

	while (mapping && mapping->start <= address && address < limit) {
		address = mapping->end;
		mapping = vmsi_map_next(mapping);
	}
	return vmsi_min(address, limit);
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

static void trim_start(struct vmsi_mapping *mapping, uintptr_t address)
{
	if (mapping->attributes.object)
		mapping->offset += address - mapping->start;
	mapping->start = address;
}

static void add_hints(struct vmsi_mapping *mapping,
		      const struct vmsi_mapping *other)
{
	mapping->attributes.flags |= other->attributes.flags & VMSI_HINT_FLAGS;
}

/* A new record with these contents, linked just below upper. */
static struct vmsi_mapping *link_below(struct vmsi_map *map,
				       struct vmsi_mapping *upper,
				       const struct vmsi_mapping *contents)
{
	struct vmsi_mapping *mapping = vmsi_pool_take(&map->pool);
	struct vmsi_mapping *lower = vmsi_map_previous(upper);

	*mapping = *contents;
	mapping->gap = 0;
	/* One of two neighbours has no child on the side of the other. */
	if (!upper->by_address.child[VMSI_TREE_LEFT])
		vmsi_tree_insert(&map->by_address, &upper->by_address,
				 VMSI_TREE_LEFT, &mapping->by_address);
	else
		vmsi_tree_insert(&map->by_address, &lower->by_address,
				 VMSI_TREE_RIGHT, &mapping->by_address);
	map->count++;
	return mapping;
}

static void unlink_mapping(struct vmsi_map *map, struct vmsi_mapping *mapping)
{
	vmsi_gap_forget(map, mapping);
	vmsi_tree_remove(&map->by_address, &mapping->by_address);
	vmsi_pool_give(&map->pool, mapping);
	map->count--;
}

/*
 * Make one of two neighbours, where they can be one:
 *
 *	[ lower )[ upper )   ->   [      lower      )
 *
 * The gap above upper is as it was.
 */
static bool merge(struct vmsi_map *map, struct vmsi_mapping *lower,
		  struct vmsi_mapping *upper)
{
	if (lower->end != upper->start || !vmsi_mapping_continues(lower, upper))
		return false;
	add_hints(lower, upper);
	lower->end = upper->end;
	unlink_mapping(map, upper);
	return true;
}

/*
 * Take range into a neighbour that it continues, or that continues it:
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
		lower->end = range->end;
		if (above)
			merge(map, lower, upper);
		return lower;
	}
	if (above) {
		add_hints(upper, range);
		upper->start = range->start;
		upper->offset = range->offset;
		return upper;
	}
	return NULL;
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
	struct vmsi_mapping *upper = first_above(map, range.start);

	vmsi_debug_check(map->bounds.start <= range.start &&
			 range.start < range.end && range.end <= upper->start,
			 "a mapping was inserted where there is no room");
	map->address_bits |= range.start | range.end;
	map->mapped += vmsi_range_length(range);

	struct vmsi_mapping *mapping =
		absorb(map, vmsi_map_previous(upper), &contents, upper);

	if (!mapping)
		mapping = link_below(map, upper, &contents);
	vmsi_gap_refresh(map, mapping);
	vmsi_gap_refresh(map, owner_above(mapping));
	return mapping;
}

/*
 * See to it that no mapping crosses address:
 *
 *	[     mapping     )   ->   [ mapping )[ upper )
 *	        ^ address
 *
 * The gaps stay as they are; upper has none. Returns the first mapping at or
 * above address, or the end of the bounds.
 */
static struct vmsi_mapping *split(struct vmsi_map *map, uintptr_t address)
{
	struct vmsi_mapping *mapping = first_above(map, address);

	if (!unless_end(mapping) || mapping->start >= address)
		return mapping;

	struct vmsi_mapping upper = *mapping;

	trim_start(&upper, address);
	mapping->end = address;
	map->address_bits |= address;
	return link_below(map, owner_above(mapping), &upper);
}

void vmsi_map_erase(struct vmsi_map *map, struct vmsi_range range)
{
	struct vmsi_mapping *mapping = first_above(map, range.start);

	if (mapping->start >= range.end || range.start >= range.end)
		return;
	map->address_bits |= range.start | range.end;
	if (mapping->start < range.start && mapping->end > range.end)
		mapping = split(map, range.start);
	if (mapping->start < range.start) {
		map->mapped -= mapping->end - range.start;
		mapping->end = range.start;
		mapping = owner_above(mapping);
	}
	while (unless_end(mapping) && mapping->end <= range.end) {
		struct vmsi_mapping *above = owner_above(mapping);

		map->mapped -= mapping->end - mapping->start;
		unlink_mapping(map, mapping);
		mapping = above;
	}
	if (mapping->start < range.end) {
		map->mapped -= range.end - mapping->start;
		trim_start(mapping, range.end);
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
	struct vmsi_mapping *below = vmsi_map_previous(mapping);

	while (mapping->start < range.end) {
		struct vmsi_mapping *above = owner_above(mapping);

		change(mapping, context);
		if (!mapping->attributes.object)
			mapping->offset = 0;
		/* Growing down or not is part of the gap's measure. */
		vmsi_gap_refresh(map, mapping);
		if (!below || !merge(map, below, mapping))
			below = mapping;
		mapping = above;
	}
	if (below && unless_end(mapping))
		merge(map, below, mapping);
}
