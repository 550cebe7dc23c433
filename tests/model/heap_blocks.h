/* SPDX-License-Identifier: MIT */
#ifndef HEAP_BLOCKS_H
#define HEAP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a block must hold. Its first FILL_MOST bytes have a pattern of the block and
 * the offset; behind that only some words have it, at offsets that are noted, so
 * that a large block costs few pages.
 */

#define FILL_MOST ((size_t)256 << 10)
#define MARKS_MOST 8

struct heap_block {
	unsigned char *memory;   /* NULL: there is no block */
	size_t size;
	uint64_t seed;           /* of the pattern */
	size_t filled;           /* bytes */
	size_t marks[MARKS_MOST]; /* offsets of words past the filled part */
	unsigned mark_count;
};

/* Write the pattern, and marks at the end and at a random place. */
void heap_block_fill(struct heap_block *block, uint64_t random);

/* Note the block's new size, and forget marks behind it. */
void heap_block_resize(struct heap_block *block, size_t size);

/* Return whether the block holds all that was written. */
bool heap_block_is_right(const struct heap_block *block);

/*
 * Return whether a small block is zero; of a large one, look at the first and last
 * word of pages at equal distances.
 */
bool heap_block_is_zero(const unsigned char *memory, size_t size, size_t page);

#endif
