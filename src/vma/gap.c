/* SPDX-License-Identifier: MIT */
#include "vma/gap.h"

#include <errno.h>

#include "base/align.h"
#include "base/panic.h"

/*
 * How many gaps that are large enough a search looks at before it asks for one
 * that is certain to hold the alignment.
 */
#define CANDIDATES_MAX 64

static size_t guard_below(const struct vmsi_map *map,
			  const struct vmsi_mapping *owner)
{
	return owner->attributes.flags & VMSI_GROWSDOWN ? map->stack_guard : 0;
}

/*
 *	  below                         owner
 *	[.......)      gap      | guard [.......)
 */
size_t vmsi_gap_measure(const struct vmsi_map *map,
			const struct vmsi_mapping *owner)
{
	const struct vmsi_mapping *below = vmsi_map_previous(owner);
	size_t room = owner->start - (below ? below->end : map->bounds.start);
	size_t guard = guard_below(map, owner);

	return room > guard ? room - guard : 0;
}

static struct vmsi_range gap_range(const struct vmsi_map *map,
				   const struct vmsi_mapping *owner)
{
	uintptr_t end = owner->start - guard_below(map, owner);

	return (struct vmsi_range){ end - owner->gap, end };
}

static bool is_before(const struct vmsi_mapping *a, const struct vmsi_mapping *b)
{
	return a->gap != b->gap ? a->gap < b->gap : a->start < b->start;
}

static void link_owner(struct vmsi_map *map, struct vmsi_mapping *owner)
{
	struct vmsi_tree_node *parent = NULL;
	enum vmsi_tree_side side = VMSI_TREE_LEFT;

	for (struct vmsi_tree_node *node = map->by_gap.root; node;
	     node = node->child[side]) {
		parent = node;
		side = is_before(owner, vmsi_mapping_by_gap(node)) ?
			VMSI_TREE_LEFT : VMSI_TREE_RIGHT;
	}
	vmsi_tree_insert(&map->by_gap, parent, side, &owner->by_gap);
}

void vmsi_gap_forget(struct vmsi_map *map, struct vmsi_mapping *owner)
{
	if (owner->gap)
		vmsi_tree_remove(&map->by_gap, &owner->by_gap);
	owner->gap = 0;
}

void vmsi_gap_refresh(struct vmsi_map *map, struct vmsi_mapping *owner)
{
	size_t gap = vmsi_gap_measure(map, owner);

	if (gap == owner->gap)
		return;
	vmsi_gap_forget(map, owner);
	owner->gap = gap;
	if (gap)
		link_owner(map, owner);
}

/* The lowest of the smallest gaps of at least length. */
static struct vmsi_mapping *first_of_length(const struct vmsi_map *map,
					    size_t length)
{
	struct vmsi_mapping *first = NULL;
	enum vmsi_tree_side side;

	for (const struct vmsi_tree_node *node = map->by_gap.root; node;
	     node = node->child[side]) {
		struct vmsi_mapping *owner = vmsi_mapping_by_gap(node);

		side = owner->gap >= length ? VMSI_TREE_LEFT : VMSI_TREE_RIGHT;
		if (side == VMSI_TREE_LEFT)
			first = owner;
	}
	return first;
}

/* The highest of the gaps that are as long as this one. */
static struct vmsi_mapping *last_of_same(const struct vmsi_map *map,
					 const struct vmsi_mapping *owner)
{
	const struct vmsi_mapping *longer =
		owner->gap < SIZE_MAX ? first_of_length(map, owner->gap + 1) : NULL;

	if (!longer)
		return vmsi_mapping_by_gap(
			vmsi_tree_outermost(&map->by_gap, VMSI_TREE_RIGHT));
	return vmsi_mapping_by_gap(
		vmsi_tree_neighbour(&longer->by_gap, VMSI_TREE_LEFT));
}

/* The best gap of at least length, if alignment did not matter. */
static struct vmsi_mapping *first_candidate(const struct vmsi_map *map,
					    size_t length, enum vmsi_gap_end end)
{
	struct vmsi_mapping *first = first_of_length(map, length);

	return first && end == VMSI_GAP_HIGH ? last_of_same(map, first) : first;
}

/* The next best: along gaps of the same length, then on to longer ones. */
static struct vmsi_mapping *next_candidate(const struct vmsi_map *map,
					   const struct vmsi_mapping *owner,
					   enum vmsi_gap_end end)
{
	if (end == VMSI_GAP_LOW)
		return vmsi_mapping_by_gap(
			vmsi_tree_neighbour(&owner->by_gap, VMSI_TREE_RIGHT));

	struct vmsi_mapping *lower = vmsi_mapping_by_gap(
		vmsi_tree_neighbour(&owner->by_gap, VMSI_TREE_LEFT));

	if (lower && lower->gap == owner->gap)
		return lower;
	return owner->gap < SIZE_MAX ?
		first_candidate(map, owner->gap + 1, end) : NULL;
}

/* A place in the gap of owner, at its high or low end; false: none fits. */
static bool place(const struct vmsi_map *map, const struct vmsi_mapping *owner,
		  const struct vmsi_gap_request *request, uintptr_t *start)
{
	const struct vmsi_mapping *below = vmsi_map_previous(owner);
	struct vmsi_range gap = gap_range(map, owner);
	size_t spare = owner->gap - request->length;
	size_t mask = request->alignment - 1;
	bool low = request->end == VMSI_GAP_LOW &&
		!(below && below->attributes.flags & VMSI_GREW);
	uintptr_t high_start = gap.end - request->length;
	size_t waste = (low ? request->residue - gap.start :
			high_start - request->residue) & mask;

	if (waste > spare)
		return false;
	*start = low ? gap.start + waste : high_start - waste;
	return true;
}

/*
 * The most that alignment can waste at the start of a gap. All gaps start at a
 * multiple of unit, so starts that differ in less than unit do not occur.
 */
static size_t worst_waste(const struct vmsi_map *map,
			  const struct vmsi_gap_request *request)
{
	size_t lowest_bit = map->address_bits & (~map->address_bits + 1);
	size_t unit = lowest_bit && lowest_bit < request->alignment ?
		lowest_bit : request->alignment;

	return request->alignment - unit + (request->residue & (unit - 1));
}

int vmsi_map_find_gap(const struct vmsi_map *map,
		      const struct vmsi_gap_request *request,
		      uintptr_t *start)
{
	const struct vmsi_mapping *owner =
		first_candidate(map, request->length, request->end);
	size_t certain;

	vmsi_debug_check(request->length && request->alignment &&
			 !(request->alignment & (request->alignment - 1)),
			 "a gap search without length or alignment");
	for (int i = 0; owner && i < CANDIDATES_MAX; i++) {
		if (place(map, owner, request, start))
			return 0;
		owner = next_candidate(map, owner, request->end);
	}
	if (!owner || __builtin_add_overflow(request->length,
					     worst_waste(map, request), &certain))
		return -ENOMEM;
	owner = first_candidate(map, certain, request->end);
	return owner && place(map, owner, request, start) ? 0 : -ENOMEM;
}

struct vmsi_range vmsi_map_largest_gap(const struct vmsi_map *map)
{
	const struct vmsi_mapping *owner = vmsi_mapping_by_gap(
		vmsi_tree_outermost(&map->by_gap, VMSI_TREE_RIGHT));

	if (!owner)
		return (struct vmsi_range){ map->bounds.start, map->bounds.start };
	return gap_range(map, owner);
}
