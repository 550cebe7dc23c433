/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "group.h"
#include "scratch.h"
#include "sustained.h"

/*
 * Random pages of data that is larger than the RAM are changed as a whole, in
 * transactions that are each durable when they return: a pool with a log that is written
 * ahead of it, SQLite with its WAL and synchronous=FULL, LMDB with its default sync. All
 * are in a memory control group of half as much again as the RAM, so that the page cache
 * counts, which the pool goes past, and SQLite has its own cache of 64 MiB. Each round is a process of its own that makes the data first, and the contenders take
 * turns.
 *
 *	bench-pool-sustained [--mib N] [--part N] [--seconds N] [--rounds N]
 *	                     [--transaction PAGES] [--threads N] [--syncs 0]
 *
 * part: the RAM is one part in so many of the data. threads: 0, first one and then two.
 * transaction: 0, first 1 and then 16. Before all, what bounds it: how many times a second
 * 4 KiB can be written in place and made durable by one thread.
 */

#define ROUNDS_MOST 21

/* SQLite must have room for its cache. */
#define LIMIT_LEAST ((size_t)80 << 20)
#define THREADS_MOST 16

static const struct contender *const contenders[] = {
	&sustained_pool, &sustained_whole, &contender_sqlite, &contender_lmdb,
};

#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

static struct {
	const char *directory;
	size_t pages, limit, count, threads, rounds;
	uint64_t seconds;
} bench;

size_t sustained_ram;

void bench_fail(const char *what)
{
	fprintf(stderr, "bench-pool-sustained: %s: %s\n", what, strerror(errno));
	_exit(1);
}

const char *bench_path(const char *directory, const char *name)
{
	static _Thread_local char paths[4][4200];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* --- a round, in a process of its own ------------------------------------------------------ */

struct writer {
	const struct contender *contender;
	uint64_t random, end, done;
};

static pthread_barrier_t barrier;

/* Numbers that differ: one of each of as many parts. */
static void choose(struct writer *writer, uint32_t *pages)
{
	const size_t part = bench.pages / bench.count;

	for (size_t i = 0; i < bench.count; i++)
		pages[i] = (uint32_t)(i * part + bench_random(&writer->random) % part);
}

static void *write_many(void *argument)
{
	struct writer *writer = argument;
	void *thread = writer->contender->join();
	uint32_t pages[PAGES_MOST];

	pthread_barrier_wait(&barrier);
	writer->end = bench_now() + bench.seconds * 1000000000;
	while (bench_now() < writer->end) {
		choose(writer, pages);
		writer->contender->commit(thread, pages, bench.count, writer->random);
		writer->done += bench.count;
	}
	writer->contender->leave(thread);
	return NULL;
}

/* Pages a second of all threads, with what it takes to have all of them in place. */
static double run_round(const struct contender *contender, uint64_t seed)
{
	struct writer writers[THREADS_MOST];
	pthread_t threads[THREADS_MOST];
	uint64_t start, done = 0;

	pthread_barrier_init(&barrier, NULL, (unsigned)bench.threads + 1);
	for (size_t i = 0; i < bench.threads; i++) {
		writers[i] = (struct writer){ .contender = contender,
					      .random = seed * 100 + i };
		if (pthread_create(&threads[i], NULL, write_many, &writers[i]) != 0)
			bench_fail("pthread_create");
	}
	pthread_barrier_wait(&barrier);
	start = bench_now();
	for (size_t i = 0; i < bench.threads; i++) {
		pthread_join(threads[i], NULL);
		done += writers[i].done;
	}
	/* The others have at most a thousand pages left to be put in place. */
	if (contender == &sustained_pool || contender == &sustained_whole)
		sustained_finish();
	return (double)done / ((double)(bench_now() - start) / 1e9);
}

static _Noreturn void be_round(const struct contender *contender, uint64_t seed, int out,
			       int parent)
{
	double result;

	scratch_end_with_parent(parent);
	if (!group_enter(bench.limit))
		fprintf(stderr, "# no memory control group: the page cache has no limit\n");
	contender->make(bench.directory, bench.pages);
	result = run_round(contender, seed);
	contender->remove(bench.directory);
	if (write(out, &result, sizeof(result)) != sizeof(result))
		bench_fail("tell the result");
	_exit(0);
}

static double measure(const struct contender *contender, uint64_t seed)
{
	const int parent = getpid();
	double result = 0;
	int ends[2], status;
	pid_t child;

	(void)fflush(NULL);
	if (pipe(ends) != 0)
		bench_fail("pipe");
	child = fork();
	if (child < 0)
		bench_fail("fork");
	if (child == 0)
		be_round(contender, seed, ends[1], parent);
	(void)close(ends[1]);
	if (read(ends[0], &result, sizeof(result)) != sizeof(result) ||
	    waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "%s has failed\n", contender->name);
		exit(1);
	}
	(void)close(ends[0]);
	group_remove(child);
	return result;
}

/* --- what bounds it -------------------------------------------------------------------------- */

static void measure_syncs(void)
{
	double samples[200];
	const char *path = bench_path(bench.directory, "syncs");
	char page[PAGE_BYTES];
	FILE *file = fopen(path, "w+");
	const int fd = file ? fileno(file) : -1;

	memset(page, 1, sizeof(page));
	if (fd < 0 || pwrite(fd, page, sizeof(page), 0) < 0 || fsync(fd) != 0)
		bench_fail(path);
	for (size_t i = 0; i < 200; i++) {
		const uint64_t start = bench_now();

		if (pwrite(fd, page, sizeof(page), 0) < 0 || fdatasync(fd) != 0)
			bench_fail("fdatasync");
		samples[i] = 1e9 / (double)(bench_now() - start);
	}
	(void)fclose(file);
	(void)unlink(path);
	bench_print_summary("pwrite and fdatasync of 4 KiB", "a second",
			    bench_summarise(samples, 200));
}

/* --- the run ----------------------------------------------------------------------------------- */

static void compare(void)
{
	static double samples[CONTENDERS][ROUNDS_MOST];
	uint64_t random = 1;
	double pool = 0;

	for (size_t round = 0; round < bench.rounds; round++) {
		size_t order[CONTENDERS];

		bench_order(order, CONTENDERS, &random);
		for (size_t i = 0; i < CONTENDERS; i++)
			samples[order[i]][round] = measure(contenders[order[i]], round + 1);
	}
	printf("# transactions of %zu pages, %zu threads\n", bench.count, bench.threads);
	for (size_t i = 0; i < CONTENDERS; i++) {
		const struct bench_summary summary =
			bench_summarise(samples[i], bench.rounds);

		bench_print_summary(contenders[i]->name, "pages/s", summary);
		if (i == 0)
			pool = summary.median;
		else
			printf("# the pool makes %.2f times as many\n", pool / summary.median);
	}
}

static void compare_threads(size_t threads, size_t count)
{
	for (size_t i = 1; i <= 2; i++) {
		if (threads && i == 2)
			break;
		bench.threads = threads ? threads : i;
		bench.count = count ? count : 1;
		compare();
		bench.count = 16;
		if (!count)
			compare();
	}
}

int main(int argc, char **argv)
{
	const size_t mib = bench_option(argc, argv, "mib", 256);
	const size_t part = bench_option(argc, argv, "part", 4);
	const size_t threads = bench_option(argc, argv, "threads", 0);
	const size_t count = bench_option(argc, argv, "transaction", 0);
	const bool has_syncs = bench_option(argc, argv, "syncs", 1);

	bench.pages = mib * ((1 << 20) / PAGE_BYTES);
	bench.seconds = bench_option(argc, argv, "seconds", 10);
	bench.rounds = bench_option(argc, argv, "rounds", 3);
	bench_print_header(argc, argv);
	if (!mib || !part || threads > THREADS_MOST || count > PAGES_MOST || !bench.rounds ||
	    bench.rounds > ROUNDS_MOST)
		bench_refuse(argv[0], "an option is out of its range");
	sustained_ram = (mib << 20) / part;
	bench.limit = sustained_ram + sustained_ram / 2;
	if (bench.limit < LIMIT_LEAST)
		bench.limit = LIMIT_LEAST;
	bench.directory = scratch_make(NULL);
	if (has_syncs)
		measure_syncs();
	compare_threads(threads, count);
	return 0;
}
