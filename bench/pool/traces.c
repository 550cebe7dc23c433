/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmspace/pool.h>

#include "bench.h"
#include "models.h"
#include "rss.h"

/*
 * Accesses to pages that were recorded, once more through a pool, and through models of
 * LRU and of CLOCK with as many slots: how many of them find their page.
 *
 *	bench-pool-traces --trace PATH
 *
 * The trace has the number of a page a line, and may be compressed by gzip(1).
 * record_traces.py makes such of SQLite's reads; those in traces/ are some of them. Slots are some parts of the pages that the trace has. Hits are
 * counted, so that the machine's speed is no matter. First come the most hits that there
 * can be, by Belady's rule, which knows what follows: nobody can do better.
 */

#define PARTS 6

/* Slots, in thousandths of the pages. */
static const uint32_t parts[PARTS] = { 10, 20, 50, 100, 200, 400 };

struct trace {
	uint32_t *accesses;
	size_t count, most;
	uint32_t pages;        /* that there are; the numbers of accesses are below */
};

static void *must_have(void *memory)
{
	if (!memory) {
		perror("bench-pool-traces");
		exit(1);
	}
	return memory;
}

/* --- to read one ---------------------------------------------------------------------------- */

static int compare_numbers(const void *one, const void *other)
{
	const uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

/* Pages become as many numbers from 0 on as there are pages, in their order. */
static void number_anew(struct trace *trace, const uint64_t *numbers)
{
	uint64_t *sorted = must_have(malloc(trace->count * sizeof(*sorted)));

	memcpy(sorted, numbers, trace->count * sizeof(*sorted));
	qsort(sorted, trace->count, sizeof(*sorted), compare_numbers);
	for (size_t i = 0; i < trace->count; i++)
		if (i == 0 || sorted[i] != sorted[i - 1])
			sorted[trace->pages++] = sorted[i];
	for (size_t i = 0; i < trace->count; i++) {
		const uint64_t *place = bsearch(&numbers[i], sorted, trace->pages,
						sizeof(*sorted), compare_numbers);

		trace->accesses[i] = (uint32_t)(place - sorted);
	}
	free(sorted);
}

/* What is kept of traces is compressed. */
static bool is_compressed(const char *path)
{
	const size_t length = strlen(path);

	return length > 3 && strcmp(path + length - 3, ".gz") == 0;
}

static FILE *open_trace(const char *path)
{
	char command[4096];

	if (!is_compressed(path))
		return must_have(fopen(path, "re"));
	(void)snprintf(command, sizeof(command), "exec gzip -dc '%s'", path);
	return must_have(popen(command, "re")); /* NOLINT(cert-env33-c) */
}

static void close_trace(const char *path, FILE *file)
{
	if ((is_compressed(path) ? pclose(file) : fclose(file)) != 0) {
		(void)fprintf(stderr, "%s cannot be read\n", path);
		exit(1);
	}
}

static struct trace read_trace(const char *path)
{
	struct trace trace = { .most = 1024 };
	uint64_t *numbers = must_have(malloc(trace.most * sizeof(*numbers)));
	FILE *file = open_trace(path);
	char line[64];

	while (fgets(line, sizeof(line), file)) {
		if (trace.count == trace.most) {
			trace.most *= 2;
			numbers = must_have(realloc(numbers,
						    trace.most * sizeof(*numbers)));
		}
		numbers[trace.count++] = strtoull(line, NULL, 10);
	}
	close_trace(path, file);
	if (!trace.count) {
		errno = ENODATA;
		must_have(NULL);
	}
	trace.accesses = must_have(malloc(trace.count * sizeof(*trace.accesses)));
	number_anew(&trace, numbers);
	free(numbers);
	return trace;
}

/* --- the most hits there can be ---------------------------------------------------------------- */

/* Who is used the latest comes first: a heap of pages that are there. */
struct heap {
	uint32_t *pages, *place_of, *next_use;
	uint32_t count;
};

static void put(struct heap *heap, uint32_t place, uint32_t page)
{
	heap->pages[place] = page;
	heap->place_of[page] = place;
}

static void rise(struct heap *heap, uint32_t place, uint32_t page)
{
	while (place && heap->next_use[heap->pages[(place - 1) / 2]] <
				heap->next_use[page]) {
		put(heap, place, heap->pages[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(heap, place, page);
}

static void sink(struct heap *heap, uint32_t page)
{
	uint32_t place = 0, below;

	while ((below = 2 * place + 1) < heap->count) {
		if (below + 1 < heap->count &&
		    heap->next_use[heap->pages[below]] <
			    heap->next_use[heap->pages[below + 1]])
			below++;
		if (heap->next_use[heap->pages[below]] <= heap->next_use[page])
			break;
		put(heap, place, heap->pages[below]);
		place = below;
	}
	put(heap, place, page);
}

/* When the page of each access is used again; never: UINT32_MAX. */
static uint32_t *next_uses(const struct trace *trace)
{
	uint32_t *next = must_have(malloc(trace->count * sizeof(*next)));
	uint32_t *last = must_have(malloc(trace->pages * sizeof(*last)));

	memset(last, 0xff, trace->pages * sizeof(*last));
	for (size_t i = trace->count; i-- > 0;) {
		next[i] = last[trace->accesses[i]];
		last[trace->accesses[i]] = (uint32_t)i;
	}
	free(last);
	return next;
}

static uint64_t most_hits(const struct trace *trace, uint32_t slots)
{
	struct heap heap = {
		.pages = must_have(malloc(slots * sizeof(uint32_t))),
		.place_of = must_have(malloc(trace->pages * sizeof(uint32_t))),
		.next_use = must_have(calloc(trace->pages, sizeof(uint32_t))),
	};
	uint32_t *next = next_uses(trace);
	bool *is_there = must_have(calloc(trace->pages, sizeof(bool)));
	uint64_t hits = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const uint32_t page = trace->accesses[i];

		heap.next_use[page] = next[i];
		if (is_there[page]) {
			/* It is used later than before, never sooner. */
			hits++;
			rise(&heap, heap.place_of[page], page);
		} else if (heap.count < slots) {
			rise(&heap, heap.count++, page);
		} else {
			is_there[heap.pages[0]] = false;
			sink(&heap, page);
		}
		is_there[page] = true;
	}
	free(heap.pages);
	free(heap.place_of);
	free(heap.next_use);
	free(next);
	free(is_there);
	return hits;
}

/* --- the contenders ------------------------------------------------------------------------------ */

static uint64_t hits_of_model(const struct trace *trace, enum model_kind kind, uint32_t slots)
{
	struct model model = model_make(kind, slots, trace->pages);
	uint64_t hits = 0;

	for (size_t i = 0; i < trace->count; i++)
		hits += model_use(&model, trace->accesses[i]);
	model_free(&model);
	return hits;
}

static uint64_t hits_of_pool(const struct trace *trace, vms_pool *pool)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < trace->count; i++)
		hits += model_use_pool(pool, trace->accesses[i], MODEL_NO_HINT);
	return hits;
}

static double in_per_cent(const struct trace *trace, uint64_t hits)
{
	return 100.0 * (double)hits / (double)trace->count;
}

/* Returns 0; 1: the pool had more memory than it may. */
static int compare(const struct trace *trace, uint32_t asked)
{
	struct rss rss;
	vms_pool *pool;
	uint32_t slots;
	size_t ram;
	uint64_t hits;

	rss_begin(&rss);
	pool = model_open_pool(asked, trace->pages);
	slots = model_slots_of(pool);
	ram = model_ram_of(pool);
	hits = hits_of_pool(trace, pool);
	if (vms_pool_close(pool) != 0)
		return 1;
	printf("%8u slots (%4.1f %% of the pages)  most %6.2f %%  vms_pool %6.2f %%  "
	       "LRU %6.2f %%  CLOCK %6.2f %%\n", slots,
	       100.0 * slots / trace->pages,
	       in_per_cent(trace, most_hits(trace, slots)), in_per_cent(trace, hits),
	       in_per_cent(trace, hits_of_model(trace, MODEL_LRU, slots)),
	       in_per_cent(trace, hits_of_model(trace, MODEL_CLOCK, slots)));
	return rss_print("vms_pool", rss_end(&rss), ram);
}

int main(int argc, char **argv)
{
	const char *path = bench_text(argc, argv, "trace", NULL);
	struct trace trace;
	int result = 0;

	bench_print_header(argc, argv);
	if (!path)
		bench_refuse(argv[0], "--trace is needed");
	trace = read_trace(path);
	printf("# %s: %zu accesses to %u pages\n", path, trace.count, trace.pages);
	for (size_t i = 0; i < PARTS; i++) {
		const uint32_t slots = (uint32_t)((uint64_t)trace.pages * parts[i] / 1000);

		/* There is no pool of less. */
		if (slots >= 16)
			result |= compare(&trace, slots);
	}
	free(trace.accesses);
	return result;
}
