/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "block.h"
#include "foreign.h"
#include "pattern.h"

/*
 * Blocks that grow. Every growth writes each new byte, as a program that grows
 * a block does; what was written is checked when the clock has stopped.
 */

#define MOST_ARRAYS 64
#define SIZE_UNIT ((size_t)64)

static size_t next_size(const struct settings *settings, size_t size,
			size_t maximum)
{
	if (size == 0 || settings->percent == 0)
		size += settings->step;
	else
		size = (size / 100 * settings->percent +
			size % 100 * settings->percent / 100 + SIZE_UNIT - 1) &
			~(SIZE_UNIT - 1);
	return size < maximum ? size : maximum;
}

/* The first word of a growth is where it began, which is never lost. */
static void fill(struct block *block, size_t from)
{
	memset(block->data + from, 0x5a, block->size - from);
	memcpy(block->data + from, &from, sizeof(from));
}

static void check(const struct settings *settings, const struct block *block,
		  size_t maximum)
{
	size_t from = 0, word;

	while (from < block->size) {
		memcpy(&word, block->data + from, sizeof(word));
		if (word != from) {
			fprintf(stderr, "growth: the block lost its contents at %zu\n",
				from);
			exit(1);
		}
		from = next_size(settings, from, maximum);
	}
}

/* Grow blocks in turn; returns the nanoseconds it took. */
static uint64_t grow(const struct settings *settings, struct block *blocks,
		     struct foreign *foreign)
{
	const size_t maximum = settings->size / settings->arrays;
	uint64_t start = bench_now(), foreign_ns = foreign->ns;
	size_t size = 0;

	while (size < maximum) {
		size_t from = size;

		size = next_size(settings, size, maximum);
		for (size_t i = 0; i < settings->arrays; i++) {
			if (settings->foreign && from != 0)
				foreign_place(foreign, blocks[i].data + from);
			block_grow(&blocks[i], size);
			fill(&blocks[i], from);
		}
	}
	return bench_now() - start - (foreign->ns - foreign_ns);
}

static uint64_t free_all(const struct settings *settings, struct block *blocks)
{
	uint64_t start;

	for (size_t i = 0; i < settings->arrays; i++)
		check(settings, &blocks[i], settings->size / settings->arrays);
	start = bench_now();
	for (size_t i = 0; i < settings->arrays; i++)
		block_free(&blocks[i]);
	return bench_now() - start;
}

static void prepare(const struct settings *settings, struct block *blocks)
{
	if (settings->arrays == 0 || settings->arrays > MOST_ARRAYS ||
	    settings->step < SIZE_UNIT || settings->step % SIZE_UNIT != 0 ||
	    (settings->percent != 0 && settings->percent <= 100)) {
		fprintf(stderr, "growth: 1 to %d arrays, steps of a multiple of %zu bytes, more than 100 percent\n",
			MOST_ARRAYS, SIZE_UNIT);
		exit(2);
	}
	for (size_t i = 0; i < settings->arrays; i++)
		block_prepare(&blocks[i], settings->size / settings->arrays);
}

/* Grow once, and give it back. */
static void run_growth(const struct settings *settings, struct figures *figures)
{
	struct block blocks[MOST_ARRAYS];
	struct foreign foreign = { 0 };

	prepare(settings, blocks);
	pattern_meet();
	figures->ns = grow(settings, blocks, &foreign);
	figures->bytes = figures->live = settings->size;
	figures->placed = foreign.placed;
	figures->occupied = foreign.occupied;
	pattern_meet();
	figures->free_ns = free_all(settings, blocks);
	foreign_clear(&foreign);
	for (size_t i = 0; i < settings->arrays; i++)
		block_finish(&blocks[i]);
}

/* Grow, give it back, and grow again on the memory that was freed. */
static void run_regrowth(const struct settings *settings,
			 struct figures *figures)
{
	struct block blocks[MOST_ARRAYS];
	struct foreign foreign = { 0 };

	prepare(settings, blocks);
	pattern_meet();
	figures->ns = grow(settings, blocks, &foreign);
	pattern_meet();
	figures->free_ns = free_all(settings, blocks);
	figures->freed_rss = pattern_resident();
	pattern_meet();
	figures->again_ns = grow(settings, blocks, &foreign);
	figures->bytes = 2 * settings->size;
	figures->live = settings->size;
	(void)free_all(settings, blocks);
	for (size_t i = 0; i < settings->arrays; i++)
		block_finish(&blocks[i]);
}

/*
 * Grow, give it back and wait, with a small call now and then, as a program
 * does that goes on with something else: an allocator without a thread of its
 * own sees only by calls that time has passed.
 */
static void run_give_back(const struct settings *settings,
			  struct figures *figures)
{
	const struct timespec nap = { .tv_nsec = 100000000 };
	struct block blocks[MOST_ARRAYS], small;
	struct foreign foreign = { 0 };
	uint64_t end;

	prepare(settings, blocks);
	block_prepare(&small, MIB);
	pattern_meet();
	figures->ns = grow(settings, blocks, &foreign);
	figures->bytes = figures->live = settings->size;
	pattern_meet();
	figures->free_ns = free_all(settings, blocks);
	figures->freed_rss = pattern_resident();
	end = bench_now() + settings->wait * 1000000u;
	do {
		nanosleep(&nap, NULL);
		block_grow(&small, 256 * KIB);
		small.data[0] = 1;
		block_free(&small);
	} while (bench_now() < end);
	figures->later_rss = pattern_resident();
	block_finish(&small);
	for (size_t i = 0; i < settings->arrays; i++)
		block_finish(&blocks[i]);
}

const struct pattern growth_patterns[] = {
	{ "append", run_growth,
	  { .size = GIB, .step = 64 * KIB, .arrays = 1 } },
	{ "append-foreign", run_growth,
	  { .size = GIB, .step = 64 * KIB, .arrays = 1, .foreign = 1 } },
	{ "arrays", run_growth,
	  { .size = GIB, .step = 64 * KIB, .arrays = 8 } },
	{ "doubling", run_growth,
	  { .size = GIB, .step = 4 * KIB, .arrays = 1, .percent = 200 } },
	{ "half-again", run_growth,
	  { .size = GIB, .step = 4 * KIB, .arrays = 1, .percent = 150 } },
	{ "regrow", run_regrowth,
	  { .size = GIB, .step = 64 * KIB, .arrays = 1 } },
	{ "give-back", run_give_back,
	  { .size = GIB, .step = 64 * KIB, .arrays = 1, .wait = 12000 } },
	{ 0 },
};
