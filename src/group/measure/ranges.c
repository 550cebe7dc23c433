/* SPDX-License-Identifier: MIT */
#include "group/measure/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Where the first range is that ends at an offset or behind it. */
static size_t first_reaching(const struct vmsi_ranges *ranges, uint64_t offset)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool enlarge(struct vmsi_ranges *ranges)
{
	void *list = vmsi_with_capacity(ranges->list, ranges->count, &ranges->capacity,
				    sizeof *ranges->list);

	if (list)
		ranges->list = list;
	return list != NULL;
}

/*
 * Put one range in place of count ranges that follow each other. The list has
 * the capacity for it.
 */
static void replace(struct vmsi_ranges *ranges, size_t at, size_t count,
		    struct vmsi_offsets with)
{
	memmove(&ranges->list[at + 1], &ranges->list[at + count],
		(ranges->count - at - count) * sizeof with);
	ranges->list[at] = with;
	ranges->count += 1 - count;
}

bool vmsi_ranges_add(struct vmsi_ranges *ranges, uint64_t start, uint64_t end)
{
	const size_t at = first_reaching(ranges, start);
	struct vmsi_offsets added = { start, end };
	size_t past = at;

	if (start >= end)
		return true;
	for (; past < ranges->count && ranges->list[past].start <= end; past++) {
		if (ranges->list[past].start < added.start)
			added.start = ranges->list[past].start;
		if (ranges->list[past].end > added.end)
			added.end = ranges->list[past].end;
	}
	if (past == at && !enlarge(ranges))
		return false;
	replace(ranges, at, past - at, added);
	return true;
}

/*
 * The part of a range from start to end: if its ends meet or cross, there is
 * none.
 */
static struct vmsi_offsets clip(struct vmsi_offsets range, uint64_t start,
			      uint64_t end)
{
	if (range.start < start)
		range.start = start;
	if (range.end > end)
		range.end = end;
	return range;
}

uint64_t vmsi_ranges_within(const struct vmsi_ranges *ranges, uint64_t start,
			    uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = first_reaching(ranges, start);
	     i < ranges->count && ranges->list[i].start < end; i++) {
		const struct vmsi_offsets range =
			clip(ranges->list[i], start, end);

		if (range.start < range.end)
			sum += range.end - range.start;
	}
	return sum;
}

bool vmsi_ranges_add_common(struct vmsi_ranges *ranges,
			    const struct vmsi_ranges *other, uint64_t start,
			    uint64_t end)
{
	for (size_t i = first_reaching(other, start);
	     i < other->count && other->list[i].start < end; i++) {
		const struct vmsi_offsets range =
			clip(other->list[i], start, end);

		if (!vmsi_ranges_add(ranges, range.start, range.end))
			return false;
	}
	return true;
}

void vmsi_ranges_free(struct vmsi_ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct vmsi_ranges){ NULL, 0, 0 };
}
