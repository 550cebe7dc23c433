/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "pattern.h"

/* Blocks that come and go, and calls that should cost next to nothing. */

#define MOST_SLOTS 4096
#define SIZES 4096

static _Noreturn void lost(const char *what)
{
	fprintf(stderr, "growth: %s\n", what);
	exit(1);
}

/*
 * A size from low up to high, a power of two times low: each doubling is as
 * likely as the other, and so is each size within one.
 */
static size_t random_size(const struct settings *settings, uint64_t *state)
{
	unsigned doublings = 0;
	size_t base;

	while (settings->low << doublings < settings->high)
		doublings++;
	base = settings->low;
	if (doublings > 1)
		base <<= bench_random(state) % doublings;
	return base + bench_random(state) % base;
}

/* A block that lives in a slot; its two ends tell which one it is. */
struct slot {
	char *data;
	size_t size;
};

static void fill_slot(struct slot *slot, size_t index, size_t size)
{
	slot->data = malloc(size);
	if (!slot->data)
		pattern_fail("malloc");
	slot->size = size;
	memset(slot->data, (int)index, size);
}

static void empty_slot(struct slot *slot, size_t index)
{
	if (slot->data &&
	    ((unsigned char)slot->data[0] != (unsigned char)index ||
	     (unsigned char)slot->data[slot->size - 1] != (unsigned char)index))
		lost("a block lost its contents");
	free(slot->data);
	*slot = (struct slot){ 0 };
}

/* Allocate, write every byte, free, at random among slots. */
static void run_churn(const struct settings *settings, struct figures *figures)
{
	struct slot slots[MOST_SLOTS] = { 0 };
	uint64_t state = settings->seed, start;
	size_t live = 0;

	if (settings->slots == 0 || settings->slots > MOST_SLOTS)
		lost("no such number of slots");
	pattern_meet();
	start = bench_now();
	for (size_t i = 0; i < settings->operations; i++) {
		size_t index = bench_random(&state) % settings->slots;
		size_t size = random_size(settings, &state);

		live -= slots[index].size;
		empty_slot(&slots[index], index);
		fill_slot(&slots[index], index, size);
		live += size;
		figures->bytes += size;
		if (live > figures->live)
			figures->live = live;
	}
	figures->ns = bench_now() - start;
	figures->operations = settings->operations;
	for (size_t i = 0; i < settings->slots; i++)
		empty_slot(&slots[i], i);
}

/* calloc, write to one page in sixteen, free. */
static void run_sparse_calloc(const struct settings *settings,
			      struct figures *figures)
{
	const size_t stride = 16 * (size_t)sysconf(_SC_PAGESIZE);
	uint64_t state = settings->seed, start;

	pattern_meet();
	start = bench_now();
	for (size_t i = 0; i < settings->operations; i++) {
		size_t size = random_size(settings, &state);
		char *data = calloc(1, size);

		if (!data)
			pattern_fail("calloc");
		for (size_t at = 0; at < size; at += stride) {
			if (data[at] != 0)
				lost("calloc gave memory that is not zero");
			data[at] = 1;
		}
		bench_use((uintptr_t)data);
		free(data);
		figures->bytes += size / 16;
	}
	figures->ns = bench_now() - start;
	figures->operations = settings->operations;
	figures->live = settings->high;
}

/*
 * realloc between low and high by steps, up and down: the block stays where it
 * is, and in memory that it has.
 */
static void run_in_slot(const struct settings *settings,
			struct figures *figures)
{
	size_t size = settings->low, step = settings->step, moves = 0;
	char *data = malloc(settings->high);
	uint64_t start;

	if (!data)
		pattern_fail("malloc");
	memset(data, 1, settings->high);
	pattern_meet();
	start = bench_now();
	for (size_t i = 0; i < settings->operations; i++) {
		char *now;

		size += step;
		if (size + step > settings->high || size + step < settings->low)
			step = -step;
		now = realloc(data, size);
		if (!now)
			pattern_fail("realloc");
		moves += now != data;
		data = now;
	}
	figures->ns = bench_now() - start;
	figures->operations = settings->operations;
	/* The number of calls for which the claim does not hold. */
	figures->occupied = moves;
	free(data);
}

/* malloc and free of one small block. */
static void run_small_pair(const struct settings *settings,
			   struct figures *figures)
{
	unsigned short sizes[SIZES];
	uint64_t state = settings->seed, start;

	for (size_t i = 0; i < SIZES; i++)
		sizes[i] = (unsigned short)(settings->low +
			bench_random(&state) %
			(settings->high - settings->low + 1));
	pattern_meet();
	start = bench_now();
	for (size_t i = 0; i < settings->operations; i++) {
		void *data = malloc(sizes[i % SIZES]);

		bench_use((uintptr_t)data);
		free(data);
	}
	figures->ns = bench_now() - start;
	figures->operations = settings->operations;
}

const struct pattern malloc_patterns[] = {
	{ "churn", run_churn,
	  { .low = 256 * KIB, .high = 64 * MIB, .slots = 32,
	    .operations = 600 } },
	{ "churn-medium", run_churn,
	  { .low = 128 * KIB, .high = MIB, .slots = 32,
	    .operations = 16000 } },
	{ "sparse-calloc", run_sparse_calloc,
	  { .low = 16 * MIB, .high = 64 * MIB, .operations = 300 } },
	{ "in-slot", run_in_slot,
	  { .low = MIB, .high = MIB + 64 * KIB, .step = KIB,
	    .operations = 8000000 } },
	{ "in-page", run_in_slot,
	  { .low = MIB + 64, .high = MIB + 2112, .step = 64,
	    .operations = 8000000 } },
	{ "small-pair", run_small_pair,
	  { .low = 16, .high = 1024, .operations = 20000000 } },
	{ "small-live", run_churn,
	  { .low = 16, .high = 1024, .slots = 4096,
	    .operations = 4000000 } },
	{ 0 },
};
