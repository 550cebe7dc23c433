/* SPDX-License-Identifier: MIT */
#include <lz4.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/align.h"
#include "bench.h"
#include "swap/swap.h"

/*
 * What the compressed tier of src/swap costs over LZ4 itself: pages are put, read back and
 * freed, all in memory, beside the least that any such tier has to do: a page is compressed
 * by LZ4_compress_fast and copied to where it is kept, and restored from there.
 *
 *	bench-pool-tier [--mib NUMBER] [--page NUMBER] [--batch NUMBER] [--threads NUMBER]
 *	                [--repeats NUMBER]
 *
 * Told are nanoseconds a page by the clock, and of the processor's time, with so many
 * threads at once that have pages each, and what part of the pages' bytes is kept. Pages are of words that come from a
 * small vocabulary; half noise and half zeros; or noise, which cannot be compressed: there
 * the bare LZ4 is the cost of finding that out, and the page is copied as it is.
 */

#define THREADS_MOST 16
#define BATCH_MOST 256
#define REPEATS_MOST 64

enum kind { WORDS, HALF, NOISE, KINDS };
enum way { BARE, TIER, WAYS };
enum step { PUT, GET, STEPS };
enum clock { WALL, PROCESSOR, CLOCKS };

static const char *const kind_names[KINDS] = { "words", "half noise", "noise" };
static const char *const way_names[WAYS] = { "bare LZ4", "tier" };
static const char *const step_names[STEPS] = { "put", "get" };
static const char *const clock_names[CLOCKS] = { "", ", processor" };

static struct {
	size_t page_bytes, pages, batch, threads, repeats;
	struct vmsi_swap *swap;
	char *memory;     /* of all pages */
	char *kept;       /* of the bare way: each page has a place as large as itself */
	uint32_t *lengths;
	uint64_t *places;
	pthread_barrier_t barrier;
} bench;

struct worker {
	pthread_t thread;
	size_t first, end;
	enum way way;
	char *state, *packed, *restored;
	double times[CLOCKS][STEPS];   /* of a page */
};

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "bench-pool-tier: %s\n", what);
	exit(1);
}

static char *page_at(char *memory, size_t page)
{
	return memory + page * bench.page_bytes;
}

/* --- pages -------------------------------------------------------------------------- */

/* Words of 8 bytes from 64, and here and there one of none. */
static void fill_with_words(uint64_t *words, size_t count, uint64_t *random)
{
	uint64_t vocabulary[64];

	for (size_t i = 0; i < 64; i++)
		vocabulary[i] = bench_random(random);
	for (size_t i = 0; i < count; i++) {
		const uint64_t drawn = bench_random(random);

		words[i] = drawn % 8 ? vocabulary[drawn >> 32 & 63] : drawn;
	}
}

static void fill(enum kind kind)
{
	const size_t count = bench.page_bytes / sizeof(uint64_t);
	uint64_t random = (uint64_t)kind + 1;

	for (size_t page = 0; page < bench.pages; page++) {
		uint64_t *words = (uint64_t *)page_at(bench.memory, page);
		const size_t noise = kind == NOISE ? count : count / 2;

		if (kind == WORDS) {
			fill_with_words(words, count, &random);
			continue;
		}
		memset(words, 0, bench.page_bytes);
		for (size_t i = 0; i < noise; i++)
			words[i] = bench_random(&random);
	}
}

/* --- the bare way ------------------------------------------------------------------- */

/* As the tier does: what does not become an eighth smaller is kept as it is. */
static void bare_put(const struct worker *worker, size_t page)
{
	const char *from = page_at(bench.memory, page);
	const int most = (int)(bench.page_bytes - bench.page_bytes / 8);
	const int length = LZ4_compress_fast_extState(worker->state, from, worker->packed,
						      (int)bench.page_bytes, most, 1);

	bench.lengths[page] = length > 0 ? (uint32_t)length : (uint32_t)bench.page_bytes;
	memcpy(page_at(bench.kept, page), length > 0 ? worker->packed : from,
	       bench.lengths[page]);
}

static void bare_get(const struct worker *worker, size_t page)
{
	const char *kept = page_at(bench.kept, page);

	if (bench.lengths[page] == bench.page_bytes)
		memcpy(worker->restored, kept, bench.page_bytes);
	else
		bench_use((uintptr_t)LZ4_decompress_safe(kept, worker->restored,
							 (int)bench.lengths[page],
							 (int)bench.page_bytes));
}

/* --- the tier ----------------------------------------------------------------------- */

static void tier_put(size_t page, size_t count)
{
	const void *pages[BATCH_MOST];

	for (size_t i = 0; i < count; i++)
		pages[i] = page_at(bench.memory, page + i);
	need(vmsi_swap_put(bench.swap, pages, count, &bench.places[page]) == 0,
	     "a put is refused");
}

static void tier_get(const struct worker *worker, size_t page)
{
	need(vmsi_swap_get(bench.swap, bench.places[page], worker->restored) == 0,
	     "a page is not to be had");
}

/* --- a run -------------------------------------------------------------------------- */

static void put_all(const struct worker *worker)
{
	for (size_t page = worker->first; page < worker->end; page += bench.batch) {
		const size_t count = vmsi_min(bench.batch, worker->end - page);

		if (worker->way == TIER)
			tier_put(page, count);
		for (size_t i = 0; worker->way == BARE && i < count; i++)
			bare_put(worker, page + i);
	}
}

/* In another order than they were put. */
static void get_all(const struct worker *worker)
{
	const size_t count = worker->end - worker->first;
	uint64_t random = worker->first + 1;

	for (size_t i = 0; i < count; i++) {
		const size_t page = worker->first + bench_random(&random) % count;

		if (worker->way == TIER)
			tier_get(worker, page);
		else
			bare_get(worker, page);
		bench_use((uintptr_t)worker->restored[i % bench.page_bytes]);
	}
}

static uint64_t now(enum clock clock)
{
	struct timespec time;

	if (clock == WALL)
		return bench_now();
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void do_step(struct worker *worker, enum step step,
		    void (*act)(const struct worker *worker))
{
	const double pages = (double)(worker->end - worker->first);
	uint64_t began[CLOCKS];

	(void)pthread_barrier_wait(&bench.barrier);
	for (size_t clock = 0; clock < CLOCKS; clock++)
		began[clock] = now((enum clock)clock);
	act(worker);
	for (size_t clock = 0; clock < CLOCKS; clock++)
		worker->times[clock][step] =
			(double)(now((enum clock)clock) - began[clock]) / pages;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	do_step(worker, PUT, put_all);
	do_step(worker, GET, get_all);
	return NULL;
}

static void keep_most(double times[CLOCKS][STEPS], const struct worker *worker)
{
	for (size_t clock = 0; clock < CLOCKS; clock++)
		for (size_t step = 0; step < STEPS; step++)
			if (worker->times[clock][step] > times[clock][step])
				times[clock][step] = worker->times[clock][step];
}

/* The times of the slowest thread. */
static void run(struct worker *workers, enum way way, double times[CLOCKS][STEPS])
{
	memset(times, 0, CLOCKS * sizeof(times[0]));
	for (size_t i = 0; i < bench.threads; i++) {
		workers[i].way = way;
		need(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0,
		     "a thread is refused");
	}
	for (size_t i = 0; i < bench.threads; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		keep_most(times, &workers[i]);
	}
	for (size_t page = 0; way == TIER && page < bench.pages; page++)
		vmsi_swap_free(bench.swap, bench.places[page]);
}

static double kept_part(void)
{
	double bytes = 0;

	for (size_t page = 0; page < bench.pages; page++)
		bytes += bench.lengths[page];
	return bytes / (double)(bench.pages * bench.page_bytes);
}

static double samples[WAYS][CLOCKS][STEPS][REPEATS_MOST];

/* The first round, which touches memory anew, is not counted. */
static void take_samples(struct worker *workers)
{
	double times[CLOCKS][STEPS];

	for (size_t i = 0; i < (bench.repeats + 1) * WAYS; i++) {
		const size_t repeat = i / WAYS, way = (i + repeat) % WAYS;

		run(workers, (enum way)way, times);
		for (size_t clock = 0; repeat && clock < CLOCKS; clock++)
			for (size_t step = 0; step < STEPS; step++)
				samples[way][clock][step][repeat - 1] = times[clock][step];
	}
}

static void tell(enum kind kind, enum step step, enum clock clock)
{
	double medians[WAYS];
	char label[64];

	for (size_t way = 0; way < WAYS; way++) {
		const struct bench_summary summary =
			bench_summarise(samples[way][clock][step], bench.repeats);

		medians[way] = summary.median;
		(void)snprintf(label, sizeof(label), "%s, %s%s, %s", kind_names[kind],
			       step_names[step], clock_names[clock], way_names[way]);
		bench_print_summary(label, "ns", summary);
	}
	printf("%s, %s%s: the tier takes %.2f times the bare time\n", kind_names[kind],
	       step_names[step], clock_names[clock], medians[TIER] / medians[BARE]);
}

static void measure(struct worker *workers, enum kind kind)
{
	fill(kind);
	take_samples(workers);
	printf("# %s: %.3f of the bytes are kept\n", kind_names[kind], kept_part());
	for (size_t step = 0; step < STEPS; step++)
		for (size_t clock = 0; clock < CLOCKS; clock++)
			tell(kind, (enum step)step, (enum clock)clock);
}

/* --- the beginning ------------------------------------------------------------------ */

static char *map(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(memory != MAP_FAILED, "no memory");
	return memory;
}

static void read_options(int argc, char **argv)
{
	const size_t mib = bench_option(argc, argv, "mib", 32);

	bench.page_bytes = bench_option(argc, argv, "page", 4096);
	bench.batch = bench_option(argc, argv, "batch", 64);
	bench.threads = bench_option(argc, argv, "threads", 1);
	bench.repeats = bench_option(argc, argv, "repeats", 9);
	bench_print_header(argc, argv);
	need(bench.page_bytes >= VMSI_SWAP_PAGE_LEAST &&
	     bench.page_bytes <= VMSI_SWAP_PAGE_MOST, "a page that is too small or large");
	bench.pages = (mib << 20) / bench.page_bytes;
	need(bench.batch >= 1 && bench.batch <= BATCH_MOST, "a batch that is too large");
	need(bench.threads >= 1 && bench.threads <= THREADS_MOST, "too many threads");
	need(bench.repeats >= 1 && bench.repeats <= REPEATS_MOST, "too many repeats");
	need(bench.pages >= bench.threads * 16, "too few pages");
}

static void open_all(void)
{
	const size_t bytes = bench.pages * bench.page_bytes;
	const struct vmsi_swap_options options = {
		.page_bytes = bench.page_bytes,
		.places = 2 * bench.pages,
		.ram_bytes = bytes + bytes / 4 +
			2 * vmsi_swap_least_bytes(bench.page_bytes, VMSI_SWAP_LZ4),
		.codec = VMSI_SWAP_LZ4,
	};

	need(vmsi_swap_open(&options, &bench.swap) == 0, "no store can be opened");
	need(vmsi_swap_codec(bench.swap) == VMSI_SWAP_LZ4, "built without LZ4");
	bench.memory = map(bytes);
	bench.kept = map(bytes);
	bench.lengths = (uint32_t *)map(bench.pages * sizeof(uint32_t));
	bench.places = (uint64_t *)map(bench.pages * sizeof(uint64_t));
	need(pthread_barrier_init(&bench.barrier, NULL, (unsigned)bench.threads) == 0,
	     "no barrier");
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MOST];

	read_options(argc, argv);
	open_all();
	for (size_t i = 0; i < bench.threads; i++) {
		workers[i].first = bench.pages * i / bench.threads;
		workers[i].end = bench.pages * (i + 1) / bench.threads;
		workers[i].state = map((size_t)LZ4_sizeofState());
		workers[i].packed = map(bench.page_bytes);
		workers[i].restored = map(bench.page_bytes);
	}
	for (size_t kind = 0; kind < KINDS; kind++)
		measure(workers, (enum kind)kind);
	vmsi_swap_close(bench.swap);
	return 0;
}
