/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GROWTH_PATTERN_H
#define VMSI_BENCH_GROWTH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the growth programs share: patterns, and the main function that runs one
 * of them in a process of its own and prints what it took.
 *
 *	growth-workload PATTERN [--NAME NUMBER...]
 *
 * One line of JSON is printed a run; pattern.c names its fields. The rounds of
 * a measurement are processes: a second run in a process (--runs 2) meets what
 * the first one left in the allocator.
 */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Numbers of a pattern, each of them an option; those it has no use for are 0. */
struct settings {
	size_t size;        /* bytes that a thread's blocks grow to, together */
	size_t step;        /* bytes of a growth; of the first with percent */
	size_t percent;     /* each size to the one before; 0: grow by steps */
	size_t arrays;      /* blocks that grow in turn */
	size_t foreign;     /* a foreign mapping behind the block if not 0 */
	size_t low;         /* smallest block */
	size_t high;        /* bound of the largest block */
	size_t slots;       /* blocks that live at once, a thread */
	size_t operations;  /* a thread */
	size_t seed;
	size_t wait;        /* milliseconds */
	size_t threads;
	size_t runs;
};

/* What a thread's run took. Times are the slowest thread's, the rest adds up. */
struct figures {
	uint64_t ns;
	uint64_t free_ns;     /* giving it all back */
	uint64_t again_ns;    /* doing it a second time */
	uint64_t operations;
	uint64_t bytes;       /* written */
	uint64_t live;        /* most bytes that were live at once */
	uint64_t placed;      /* foreign mappings behind the block */
	uint64_t occupied;    /* places behind it that were taken already */
	/* Of the whole process, by the first thread. */
	uint64_t freed_rss;   /* right after all was given back */
	uint64_t later_rss;   /* wait milliseconds after that */
};

struct pattern {
	const char *name;
	void (*run)(const struct settings *settings, struct figures *figures);
	struct settings defaults;
};

/* Tables of patterns; each ends with one without a name. */
extern const struct pattern growth_patterns[];
extern const struct pattern malloc_patterns[];

/* Run what argv names from one of two tables; the second may be NULL. */
int pattern_main(int argc, char **argv, const struct pattern *first,
		 const struct pattern *second);

/* Wait until all threads of the run have come here. */
void pattern_meet(void);

/* Bytes of the process that are in memory. */
uint64_t pattern_resident(void);

/* Say that something failed, with errno, and end with status 1. */
_Noreturn void pattern_fail(const char *what);

#endif
