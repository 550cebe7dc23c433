/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_EXTENTS_H
#define VMSI_GROUP_MEASURE_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ranges of one file that are mapped, by any process and in any order, and
 * how much of each is resident; all in bytes. Zeroed, it is empty.
 */
struct vmsi_extents {
	struct vmsi_extent {
		uint64_t start, end;   /* offsets; end is exclusive */
		size_t resident;       /* of it, at most its length */
	} *list;
	size_t count, room;
};

/* Returns false where there is no memory; the extents are as before. */
bool vmsi_extents_add(struct vmsi_extents *extents, uint64_t start,
		      uint64_t length, size_t resident);

/*
 * How much of the file is resident at least, each page once. Exact where ranges
 * do not overlap or are resident as a whole. Where ranges overlap in part, which
 * pages of them are resident is not known: what may be the same counts once.
 * Changes the order of the list. Without memory it is what the largest one has.
 */
size_t vmsi_extents_resident(struct vmsi_extents *extents);

void vmsi_extents_free(struct vmsi_extents *extents);

#endif
