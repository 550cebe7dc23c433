/* SPDX-License-Identifier: MIT */
#include "vma/gap.h"

#include <errno.h>

#include "base/align.h"
#include "base/panic.h"

/*
 * A search tries so many gaps that are long enough but may have no aligned place.
 * Then it takes one so long that it has one whatever its address.
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
	const struct vmsi_mapping *below = owner->previous;
	size_t unmapped = owner->start - (below ? below->end : map->bounds.start);
	size_t guard = guard_below(map, owner);

	return unmapped > guard ? unmapped - guard : 0;
}

static struct vmsi_range gap_range(const struct vmsi_map *map,
				   const struct vmsi_mapping *owner)
{
	uintptr_t end = owner->start - guard_below(map, owner);

	return (struct vmsi_range){ end - owner->gap, end };
}

void vmsi_gap_expect(const struct vmsi_map *map, uintptr_t start, uintptr_t end)
{
	const struct vmsi_tree_key key = { end - start, end };

	vmsi_tree_expect(&map->by_gap, key);
}

void vmsi_gap_forget(struct vmsi_map *map, struct vmsi_mapping *owner)
{
	if (owner->gap)
		vmsi_tree_remove(&map->by_gap, vmsi_gap_key(owner));
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
		vmsi_tree_insert(&map->by_gap, vmsi_gap_key(owner), owner);
}

/* Go to the lowest of the shortest gaps of at least length; NULL: none. */
static struct vmsi_mapping *seek_length(const struct vmsi_map *map,
					size_t length,
					struct vmsi_tree_cursor *cursor)
{
	/* No gap has an owner at address 0, so all entries before are shorter. */
	const struct vmsi_tree_key key = { .major = length, .minor = 0 };

	vmsi_tree_seek(&map->by_gap, key, cursor);
	return vmsi_tree_next(&map->by_gap, cursor) ?
		vmsi_tree_entry(cursor) : NULL;
}

/* Go to the best gap of at least length, whatever the alignment. */
static struct vmsi_mapping *first_candidate(const struct vmsi_map *map,
					    size_t length, enum vmsi_gap_end end,
					    struct vmsi_tree_cursor *cursor)
{
	struct vmsi_mapping *first = seek_length(map, length, cursor);

	if (!first || end == VMSI_GAP_LOW)
		return first;

	struct vmsi_tree_key key = vmsi_tree_key(cursor);

	key.minor = UINTPTR_MAX;
	vmsi_tree_seek(&map->by_gap, key, cursor);
	return vmsi_tree_entry(cursor);
}

/* Go to the next best gap: one of the same length, or else a longer one. */
static struct vmsi_mapping *next_candidate(const struct vmsi_map *map,
					   enum vmsi_gap_end end,
					   struct vmsi_tree_cursor *cursor)
{
	size_t length = vmsi_tree_key(cursor).major;

	if (end == VMSI_GAP_LOW)
		return vmsi_tree_next(&map->by_gap, cursor) ?
			vmsi_tree_entry(cursor) : NULL;
	if (vmsi_tree_previous(&map->by_gap, cursor) &&
	    vmsi_tree_key(cursor).major == length)
		return vmsi_tree_entry(cursor);
	return length < SIZE_MAX ?
		first_candidate(map, length + 1, end, cursor) : NULL;
}

/* Choose a place in owner's gap, at its low or high end; false: none is aligned. */
static bool place(const struct vmsi_map *map, const struct vmsi_mapping *owner,
		  const struct vmsi_gap_request *request, uintptr_t *start)
{
	const struct vmsi_mapping *below = owner->previous;
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
 * The most bytes that alignment can cost in a gap. All gaps start at multiples of
 * unit, the lowest bit that an address of the map ever had.
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
	struct vmsi_tree_cursor cursor;
	const struct vmsi_mapping *owner =
		first_candidate(map, request->length, request->end, &cursor);
	size_t certain;

	vmsi_debug_check(request->length && request->alignment &&
			 !(request->alignment & (request->alignment - 1)),
			 "a gap search without length or alignment");
	for (int i = 0; owner && i < CANDIDATES_MAX; i++) {
		if (place(map, owner, request, start))
			return 0;
		owner = next_candidate(map, request->end, &cursor);
	}
	if (!owner || __builtin_add_overflow(request->length,
					     worst_waste(map, request), &certain))
		return -ENOMEM;
	owner = first_candidate(map, certain, request->end, &cursor);
	return owner && place(map, owner, request, start) ? 0 : -ENOMEM;
}

struct vmsi_range vmsi_map_largest_gap(const struct vmsi_map *map)
{
	const struct vmsi_tree_key past_all = { SIZE_MAX, UINTPTR_MAX };
	struct vmsi_tree_cursor cursor;

	vmsi_tree_seek(&map->by_gap, past_all, &cursor);
	if (!vmsi_tree_is_entry(&cursor))
		return (struct vmsi_range){ map->bounds.start, map->bounds.start };
	return gap_range(map, vmsi_tree_entry(&cursor));
}
