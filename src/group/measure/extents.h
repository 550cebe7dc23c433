/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_EXTENTS_H
#define VMSI_GROUP_MEASURE_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ranges of one file that processes have mapped, in any order, and how much of
 * each is resident; all in bytes. All zero, it is empty.
 *
 *	file      |--------------------------------|
 *	mapped    [===== 8 of 16 =====]                 by one process
 *	mapped             [== 12 of 12 ==]             by another one
 *
 * Resident is at least what the densest range has, plus what the others must have
 * outside of it.
 */
struct vmsi_extents {
	struct vmsi_extent {
		uint64_t start, end;   /* offsets; end is exclusive */
		size_t resident;       /* bytes, at most the length */
	} *list;
	size_t count, capacity;
};

/* Returns false where there is no memory; the extents are as before. */
bool vmsi_extents_add(struct vmsi_extents *extents, uint64_t start,
		      uint64_t length, size_t resident);

/*
 * How much of the file is resident at least, each page once. It is exact where
 * ranges do not overlap or are resident as a whole. Where they overlap nobody
 * tells which pages of each are resident, so what may be the same counts once.
 * Changes the order of the list. Without memory to find out, the result is the
 * most of one range.
 */
size_t vmsi_extents_resident(struct vmsi_extents *extents);

void vmsi_extents_free(struct vmsi_extents *extents);

#endif
