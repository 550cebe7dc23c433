/* SPDX-License-Identifier: MIT */
#include "cli/recording/by_start.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF 256

struct vmsi_by_start_leaf {
	size_t count;
	struct vmsi_start list[LEAF];
};

/* The first leaf whose last range starts at address or above. */
static size_t find_leaf(const struct vmsi_by_start *ranges, uintptr_t address)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct vmsi_by_start_leaf *leaf = ranges->leaves[middle];

		if (leaf->list[leaf->count - 1].start < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first place of a leaf that starts at address or above. */
static size_t find_in_leaf(const struct vmsi_by_start_leaf *leaf, uintptr_t address)
{
	size_t low = 0, high = leaf->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (leaf->list[middle].start < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct vmsi_by_start_place vmsi_by_start_find(const struct vmsi_by_start *ranges,
					  uintptr_t address)
{
	struct vmsi_by_start_place place = { .leaf = find_leaf(ranges, address) };

	if (place.leaf < ranges->count)
		place.at = find_in_leaf(ranges->leaves[place.leaf], address);
	return place;
}

struct vmsi_start *vmsi_by_start_at(const struct vmsi_by_start *ranges,
				  struct vmsi_by_start_place place)
{
	if (place.leaf == ranges->count)
		return NULL;
	return &ranges->leaves[place.leaf]->list[place.at];
}

bool vmsi_by_start_back(const struct vmsi_by_start *ranges,
		      struct vmsi_by_start_place *place)
{
	if (place->at == 0) {
		if (place->leaf == 0)
			return false;
		place->at = ranges->leaves[--place->leaf]->count;
	}
	place->at--;
	return true;
}

void vmsi_by_start_next(const struct vmsi_by_start *ranges,
		      struct vmsi_by_start_place *place)
{
	if (++place->at < ranges->leaves[place->leaf]->count)
		return;
	place->leaf++;
	place->at = 0;
}

/* Make room for one more leaf at index. */
static struct vmsi_by_start_leaf *add_leaf(struct vmsi_by_start *ranges, size_t index)
{
	struct vmsi_by_start_leaf *leaf = malloc(sizeof(*leaf));

	if (leaf && ranges->count == ranges->capacity) {
		size_t capacity = ranges->capacity ? 2 * ranges->capacity : 4;
		struct vmsi_by_start_leaf **leaves = reallocarray(ranges->leaves,
			capacity, sizeof(struct vmsi_by_start_leaf *));

		if (!leaves) {
			free(leaf);
			return NULL;
		}
		ranges->leaves = leaves;
		ranges->capacity = capacity;
	}
	if (!leaf)
		return NULL;
	memmove(ranges->leaves + index + 1, ranges->leaves + index,
		(ranges->count - index) * sizeof(struct vmsi_by_start_leaf *));
	ranges->leaves[index] = leaf;
	ranges->count++;
	leaf->count = 0;
	return leaf;
}

/*
 * Halve the full leaf at index. One that is filled at its end, as mappings that are
 * read in their order do, leaves only its last behind.
 */
static int split_leaf(struct vmsi_by_start *ranges, size_t index, size_t at)
{
	struct vmsi_by_start_leaf *upper = add_leaf(ranges, index + 1), *lower;

	if (!upper)
		return -ENOMEM;
	lower = ranges->leaves[index];
	upper->count = at == LEAF ? 1 : LEAF / 2;
	lower->count = LEAF - upper->count;
	memcpy(upper->list, lower->list + lower->count,
	       upper->count * sizeof(struct vmsi_start));
	return 0;
}

int vmsi_by_start_add(struct vmsi_by_start *ranges, struct vmsi_start range)
{
	size_t index = find_leaf(ranges, range.start), at;
	struct vmsi_by_start_leaf *leaf;
	int result;

	if (ranges->count == 0 && !add_leaf(ranges, 0))
		return -ENOMEM;
	if (index == ranges->count || ranges->leaves[index]->count == 0)
		index = ranges->count - 1;
	at = find_in_leaf(ranges->leaves[index], range.start);
	if (ranges->leaves[index]->count == LEAF) {
		result = split_leaf(ranges, index, at);
		if (result < 0)
			return result;
		index += at > ranges->leaves[index]->count;
		at = find_in_leaf(ranges->leaves[index], range.start);
	}
	leaf = ranges->leaves[index];
	memmove(leaf->list + at + 1, leaf->list + at,
		(leaf->count - at) * sizeof(struct vmsi_start));
	leaf->list[at] = range;
	leaf->count++;
	return 0;
}

void vmsi_by_start_remove(struct vmsi_by_start *ranges, uintptr_t start)
{
	struct vmsi_by_start_place place = vmsi_by_start_find(ranges, start);
	struct vmsi_by_start_leaf *leaf = ranges->leaves[place.leaf];

	leaf->count--;
	memmove(leaf->list + place.at, leaf->list + place.at + 1,
		(leaf->count - place.at) * sizeof(struct vmsi_start));
	if (leaf->count > 0)
		return;
	free(leaf);
	ranges->count--;
	memmove(ranges->leaves + place.leaf, ranges->leaves + place.leaf + 1,
		(ranges->count - place.leaf) * sizeof(struct vmsi_by_start_leaf *));
}

void vmsi_by_start_free(struct vmsi_by_start *ranges)
{
	for (size_t i = 0; i < ranges->count; i++)
		free(ranges->leaves[i]);
	free(ranges->leaves);
	*ranges = (struct vmsi_by_start){ 0 };
}
