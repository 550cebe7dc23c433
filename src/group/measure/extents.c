/* SPDX-License-Identifier: MIT */
#include "group/measure/extents.h"

#include <stdlib.h>

#include "base/array.h"

static bool is_whole(const struct vmsi_extent *extent)
{
	return extent->resident == extent->end - extent->start;
}

/* A file that is mapped piece after piece, all resident, is one extent. */
static bool continues(const struct vmsi_extents *extents,
		      const struct vmsi_extent *next)
{
	const struct vmsi_extent *last;

	if (extents->count == 0)
		return false;
	last = &extents->list[extents->count - 1];
	return last->end == next->start && is_whole(last) && is_whole(next);
}

bool vmsi_extents_add(struct vmsi_extents *extents, uint64_t start,
		      uint64_t length, size_t resident)
{
	struct vmsi_extent added = {
		start, start + length, resident < length ? resident : length };
	void *list;

	if (added.end < start || added.resident == 0)
		return true;
	if (continues(extents, &added)) {
		extents->list[extents->count - 1].end = added.end;
		extents->list[extents->count - 1].resident += added.resident;
		return true;
	}
	list = vmsi_with_capacity(extents->list, extents->count, &extents->capacity,
			      sizeof *extents->list);
	if (!list)
		return false;
	extents->list = list;
	extents->list[extents->count++] = added;
	return true;
}

void vmsi_extents_free(struct vmsi_extents *extents)
{
	free(extents->list);
	*extents = (struct vmsi_extents){ NULL, 0, 0 };
}

/* --- the union ------------------------------------------------------------ */

/*
 * The ends of all extents cut the file into parts, which are covered one by
 * one.
 */
struct parts {
	uint64_t *bounds;      /* ascending, each once */
	size_t *uncovered;     /* of a part: itself, or one nearer to the next
				* part that is not covered */
	size_t count;          /* of bounds: one more than parts */
};

static int compare_bounds(const void *a, const void *b)
{
	const uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return (one > other) - (one < other);
}

static void sort_bounds(struct parts *parts)
{
	size_t kept = 1;

	qsort(parts->bounds, parts->count, sizeof *parts->bounds,
	      compare_bounds);
	for (size_t i = 1; i < parts->count; i++)
		if (parts->bounds[i] != parts->bounds[kept - 1])
			parts->bounds[kept++] = parts->bounds[i];
	parts->count = kept;
}

static void free_parts(struct parts *parts)
{
	free(parts->bounds);
	free(parts->uncovered);
}

static bool make_parts(const struct vmsi_extents *extents, struct parts *parts)
{
	parts->count = 2 * extents->count;
	parts->bounds = calloc(parts->count, sizeof *parts->bounds);
	parts->uncovered = calloc(parts->count, sizeof *parts->uncovered);
	if (!parts->bounds || !parts->uncovered) {
		free_parts(parts);
		return false;
	}
	for (size_t i = 0; i < extents->count; i++) {
		parts->bounds[2 * i] = extents->list[i].start;
		parts->bounds[2 * i + 1] = extents->list[i].end;
	}
	sort_bounds(parts);
	for (size_t i = 0; i < parts->count; i++)
		parts->uncovered[i] = i;
	return true;
}

static size_t find_part(const struct parts *parts, uint64_t start)
{
	const uint64_t *found = bsearch(&start, parts->bounds, parts->count,
					sizeof start, compare_bounds);

	return (size_t)(found - parts->bounds);
}

/*
 * Each search shortens the way that it has followed (path halving of a union-find), so
 * the next one skips covered parts faster.
 */
static size_t next_uncovered(struct parts *parts, size_t part)
{
	size_t *next = parts->uncovered;

	while (next[part] != part) {
		next[part] = next[next[part]];
		part = next[part];
	}
	return part;
}

/* Returns how much of the extent was not covered before. */
static uint64_t cover(struct parts *parts, const struct vmsi_extent *extent)
{
	uint64_t fresh = 0;

	for (size_t part = next_uncovered(parts,
					  find_part(parts, extent->start));
	     parts->bounds[part] < extent->end;
	     part = next_uncovered(parts, part)) {
		fresh += parts->bounds[part + 1] - parts->bounds[part];
		parts->uncovered[part] = part + 1;
	}
	return fresh;
}

/*
 * The densest extents come first, so that sparse ones hide little of what is
 * resident. Most extents are resident as a whole and so equally dense; of these
 * the larger comes first.
 */
static int compare_density(const void *a, const void *b)
{
	const struct vmsi_extent *one = a, *other = b;
	const double x = (double)one->resident *
		(double)(other->end - other->start);
	const double y = (double)other->resident *
		(double)(one->end - one->start);

	if (x != y)
		return x < y ? 1 : -1;
	return (one->resident < other->resident) -
		(one->resident > other->resident);
}

/*
 * As much as fits of what an extent has resident may lie where others cover it
 * already and have been counted; the rest is new.
 */
static size_t add_up(const struct vmsi_extents *extents, struct parts *parts)
{
	size_t sum = 0;

	for (size_t i = 0; i < extents->count; i++) {
		const struct vmsi_extent *extent = &extents->list[i];
		const uint64_t fresh = cover(parts, extent);
		const uint64_t hidden = extent->end - extent->start - fresh;

		if (extent->resident > hidden)
			sum += extent->resident - (size_t)hidden;
	}
	return sum;
}

size_t vmsi_extents_resident(struct vmsi_extents *extents)
{
	struct parts parts;
	size_t largest = 0, sum;

	for (size_t i = 0; i < extents->count; i++)
		if (extents->list[i].resident > largest)
			largest = extents->list[i].resident;
	if (extents->count < 2 || !make_parts(extents, &parts))
		return largest;
	qsort(extents->list, extents->count, sizeof *extents->list,
	      compare_density);
	sum = add_up(extents, &parts);
	free_parts(&parts);
	return sum > largest ? sum : largest;
}
