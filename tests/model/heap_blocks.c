/* SPDX-License-Identifier: MIT */
#include "heap_blocks.h"

#include <string.h>

#define WORD sizeof(uint64_t)

/* Looking at a page costs a page fault. */
#define PAGES_MOST 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static uint64_t word_at(const struct heap_block *block, size_t offset)
{
	return (block->seed + offset) * 0x9e3779b97f4a7c15u;
}

/* Write the bytes of a word that lie in the block's filled part. */
static void fill_word(struct heap_block *block, size_t offset, size_t end)
{
	uint64_t word = word_at(block, offset);

	memcpy(block->memory + offset, &word, least(WORD, end - offset));
}

static bool is_word(const struct heap_block *block, size_t offset, size_t end)
{
	uint64_t word = word_at(block, offset);

	return memcmp(block->memory + offset, &word,
		      least(WORD, end - offset)) == 0;
}

/* Marks are whole aligned words, so no two overlap. */
static void mark(struct heap_block *block, size_t offset)
{
	offset -= offset % WORD;
	if (offset < block->filled || offset + WORD > block->size)
		return;
	for (unsigned i = 0; i < block->mark_count; i++)
		if (block->marks[i] == offset)
			return;
	/* The oldest marks stay, since they have been through most operations. */
	if (block->mark_count == MARKS_MOST)
		block->mark_count--;
	block->marks[block->mark_count++] = offset;
	fill_word(block, offset, block->size);
}

void heap_block_fill(struct heap_block *block, uint64_t random)
{
	const size_t end = least(block->size, FILL_MOST);

	for (size_t i = block->filled - block->filled % WORD; i < end;
	     i += WORD)
		fill_word(block, i, end);
	if (block->filled < end)
		block->filled = end;
	if (block->size <= FILL_MOST)
		return;
	mark(block, FILL_MOST + random % (block->size - FILL_MOST));
	mark(block, block->size - WORD);
}

void heap_block_resize(struct heap_block *block, size_t size)
{
	unsigned kept = 0;

	block->size = size;
	block->filled = least(block->filled, size);
	for (unsigned i = 0; i < block->mark_count; i++)
		if (block->marks[i] + WORD <= size)
			block->marks[kept++] = block->marks[i];
	block->mark_count = kept;
}

bool heap_block_is_right(const struct heap_block *block)
{
	for (size_t i = 0; i < block->filled; i += WORD)
		if (!is_word(block, i, block->filled))
			return false;
	for (unsigned i = 0; i < block->mark_count; i++)
		if (!is_word(block, block->marks[i], block->size))
			return false;
	return true;
}

/* Compare each byte with its neighbour, by memcmp, which is fast. */
static bool are_zero(const unsigned char *memory, size_t length)
{
	return length == 0 ||
		(memory[0] == 0 && memcmp(memory, memory + 1, length - 1) == 0);
}

bool heap_block_is_zero(const unsigned char *memory, size_t size, size_t page)
{
	const size_t step = page * (1 + size / page / PAGES_MOST);

	if (size <= FILL_MOST)
		return are_zero(memory, size);
	for (size_t i = 0; i < size; i += step) {
		size_t length = least(page, size - i);

		if (!are_zero(memory + i, least(WORD, length)) ||
		    !are_zero(memory + i + length - least(WORD, length),
			      least(WORD, length)))
			return false;
	}
	return true;
}
