/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"

/*
 * The mapping calls of a space against the raw system calls.
 *
 *	bench-mapping [--rounds N] [--operations N]
 *
 * Every comparison measures the two sides alternately, round by round, and
 * prints the median of each and of the rounds' ratios.
 *
 * - pairs: map and unmap 64 KiB and 64 MiB of writable memory, untouched (the
 *   calls alone) and with every page touched once.
 * - growth: mremap in place by 64 KiB steps, untouched and touched.
 * - moves: mremap of 1 GiB of touched small pages to fixed places. The places
 *   are congruent modulo 2 MiB but not modulo 1 GiB, as two mappings of
 *   different programs mostly are; then what alignment does to the cost.
 */

#define SPACE_BYTES ((size_t)1 << 38)
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define MAX_ROUNDS 101
#define WRITABLE (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

enum touching { UNTOUCHED, TOUCHED };

static vms_space *space;
static size_t page_size;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* The two sides of a comparison. */
enum side { RAW, SPACE, SIDES };

static void *map_memory(enum side side, void *address, size_t length, int prot,
			int flags)
{
	void *memory = side == RAW ?
		mmap(address, length, prot, flags, -1, 0) :
		vms_mmap(space, address, length, prot, flags, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

static void unmap_memory(enum side side, void *memory, size_t length)
{
	int result = side == RAW ? munmap(memory, length) :
				   vms_munmap(space, memory, length);

	if (result < 0)
		fail("munmap");
}

static void *remap_memory(enum side side, void *memory, size_t old_length,
			  size_t new_length, int flags, void *place)
{
	void *result = side == RAW ?
		mremap(memory, old_length, new_length, flags, place) :
		vms_mremap(space, memory, old_length, new_length, flags, place);

	if (result == MAP_FAILED)
		fail("mremap");
	return result;
}

static void touch(char *memory, size_t length)
{
	for (size_t at = 0; at < length; at += page_size)
		memory[at] = 1;
}

/* --- comparisons ------------------------------------------------------------- */

/* What is measured: microseconds for one operation on a side. */
struct subject {
	const char *name;
	double (*measure)(enum side side, const struct subject *subject);
	size_t length;
	size_t operations;
	enum touching touching;
	size_t alignment;   /* of moves */
	double limit;       /* the ratio that is promised; 0: none */
};

static void compare(const struct subject *subject, size_t rounds)
{
	double times[SIDES][MAX_ROUNDS], ratios[MAX_ROUNDS];
	struct bench_summary summaries[SIDES], ratio;

	for (size_t round = 0; round < rounds; round++) {
		/* Whoever comes first in one round comes second in the next. */
		enum side first = round % 2 ? SPACE : RAW;

		times[first][round] = subject->measure(first, subject);
		times[!first][round] = subject->measure(!first, subject);
		ratios[round] = times[SPACE][round] / times[RAW][round];
	}
	for (enum side side = RAW; side < SIDES; side++)
		summaries[side] = bench_summarise(times[side], rounds);
	ratio = bench_summarise(ratios, rounds);
	printf("%-42s %10.3f %10.3f   %5.3f (%5.3f to %5.3f)",
	       subject->name, summaries[RAW].median, summaries[SPACE].median,
	       ratio.median, ratio.lower, ratio.upper);
	if (subject->limit > 0)
		printf("  %s %.2f", ratio.median <= subject->limit ?
		       "within" : "MISSES", subject->limit);
	putchar('\n');
	fflush(stdout);
}

static double measure_pairs(enum side side, const struct subject *subject)
{
	uint64_t start = bench_now();

	for (size_t i = 0; i < subject->operations; i++) {
		char *memory = map_memory(side, NULL, subject->length, WRITABLE,
					  PRIVATE);

		if (subject->touching == TOUCHED)
			touch(memory, subject->length);
		unmap_memory(side, memory, subject->length);
	}
	return (double)(bench_now() - start) / 1e3 /
		(double)subject->operations;
}

/* An address outside the space with much room behind it. */
static char *free_addresses(size_t length, size_t alignment)
{
	char *start = map_memory(RAW, NULL, length + alignment, PROT_NONE,
				 PRIVATE | MAP_NORESERVE);

	unmap_memory(RAW, start, length + alignment);
	return (char *)(((uintptr_t)start + alignment - 1) & ~(alignment - 1));
}

static double measure_growth(enum side side, const struct subject *subject)
{
	const size_t step = subject->length;
	const size_t whole = step * (subject->operations + 1);
	char *place = side == RAW ? free_addresses(whole, GIB) :
		(char *)vms_space_base(space) + SPACE_BYTES / 2;
	char *memory = map_memory(side, place, step, WRITABLE,
				  PRIVATE | MAP_FIXED);
	uint64_t start = bench_now();
	double elapsed;

	for (size_t i = 1; i <= subject->operations; i++) {
		remap_memory(side, memory, i * step, (i + 1) * step, 0, NULL);
		if (subject->touching == TOUCHED)
			touch(memory + i * step, step);
	}
	elapsed = (double)(bench_now() - start) / 1e3;
	unmap_memory(side, memory, whole);
	return elapsed / (double)subject->operations;
}

/* Small pages, so that the page tables are as many as they can be. */
static char *make_movable(enum side side, char *place, size_t length)
{
	char *memory = map_memory(side, place, length, WRITABLE,
				  PRIVATE | MAP_FIXED);
	int result = side == RAW ?
		madvise(memory, length, MADV_NOHUGEPAGE) :
		vms_madvise(space, memory, length, MADV_NOHUGEPAGE);

	if (result < 0)
		fail("madvise");
	touch(memory, length);
	return memory;
}

static double measure_moves(enum side side, const struct subject *subject)
{
	const size_t length = subject->length;
	static char *grounds[SIDES];
	char *from, *to;
	uint64_t start;

	if (!grounds[RAW]) {
		grounds[RAW] = free_addresses(8 * GIB, GIB);
		grounds[SPACE] = (char *)(((uintptr_t)vms_space_base(space) +
					   SPACE_BYTES / 4) & ~(GIB - 1));
	}
	from = grounds[side];
	to = grounds[side] + 4 * GIB + subject->alignment;
	make_movable(side, from, length);
	start = bench_now();
	for (size_t i = 0; i < subject->operations; i++) {
		char *next = i % 2 ? from : to;
		char *now = i % 2 ? to : from;

		remap_memory(side, now, length, length,
			     MREMAP_MAYMOVE | MREMAP_FIXED, next);
	}
	start = bench_now() - start;
	unmap_memory(side, subject->operations % 2 ? to : from, length);
	return (double)start / 1e3 / (double)subject->operations;
}

int main(int argc, char **argv)
{
	const size_t rounds = bench_option(argc, argv, "rounds", 15);
	const size_t operations = bench_option(argc, argv, "operations", 4000);
	const struct subject quick[] = {
		{ "mmap+munmap 64 KiB", measure_pairs, 64 * KIB, operations,
		  UNTOUCHED, 0, 1.15 },
		{ "mmap+munmap 64 MiB", measure_pairs, 64 * MIB, operations,
		  UNTOUCHED, 0, 1.15 },
		{ "mmap+munmap 64 KiB, touched", measure_pairs, 64 * KIB,
		  operations / 4, TOUCHED, 0, 1.15 },
		{ "mmap+munmap 64 MiB, touched", measure_pairs, 64 * MIB, 4,
		  TOUCHED, 0, 1.15 },
		{ "mremap in place by 64 KiB", measure_growth, 64 * KIB,
		  operations, UNTOUCHED, 0, 1.1 },
		{ "mremap in place by 64 KiB, touched", measure_growth,
		  64 * KIB, operations / 4, TOUCHED, 0, 1.1 },
		{ "mremap in place by 4 KiB", measure_growth, 4 * KIB,
		  operations, UNTOUCHED, 0, 1.1 },
	};
	const struct subject slow[] = {
		{ "move 1 GiB, places equal modulo 2 MiB", measure_moves, GIB,
		  8, TOUCHED, 2 * MIB, 1.1 },
		{ "move 1 GiB, places equal modulo 1 GiB", measure_moves, GIB,
		  8, TOUCHED, 0, 0 },
		{ "move 1 GiB, places differ modulo 2 MiB", measure_moves, GIB,
		  8, TOUCHED, 4 * KIB, 0 },
	};
	size_t slow_rounds = rounds > 7 ? 7 : rounds;

	if (rounds == 0 || rounds > MAX_ROUNDS || operations < 4) {
		fprintf(stderr, "bench-mapping: 1 to %d rounds, 4 or more operations\n",
			MAX_ROUNDS);
		return 2;
	}
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	space = vms_space_open(SPACE_BYTES, NULL);
	if (!space)
		fail("vms_space_open");
	bench_print_header(argc, argv);
	printf("%-42s %10s %10s   %s\n", "microseconds an operation", "raw",
	       "space", "ratio (quartiles)");
	for (size_t i = 0; i < sizeof(quick) / sizeof(*quick); i++)
		compare(&quick[i], rounds);
	for (size_t i = 0; i < sizeof(slow) / sizeof(*slow); i++)
		compare(&slow[i], slow_rounds);
	return vms_space_close(space) < 0;
}
