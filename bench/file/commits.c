/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "contender.h"

/*
 * Commits of 1, 16 and 256 pages of a file, by one writer and by eight: microseconds a
 * commit, and the ratio to the floor. The contenders take turns, round by round.
 *
 *	bench-file-commits [--pages N] [--rounds N] [--commits N]
 *
 * The files are made in $VMS_BENCH_DIRECTORY, or in the working directory: a file
 * system whose syncs reach a disk.
 */

static const struct contender *const contenders[] = {
	&contender_floor, &contender_vmspace, &contender_lmdb, &contender_sqlite,
};

#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))
#define MOST_PAGES 256
#define MOST_WRITERS 8
#define MOST_ROUNDS 101

void bench_fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

const char *bench_path(const char *directory, const char *name)
{
	static _Thread_local char paths[4][512];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

struct writer {
	const struct contender *contender;
	size_t pages, count, commits;
	uint64_t random;
	pthread_barrier_t *barrier;
};

/* Numbers that differ: one of each of as many parts of the file. */
static void choose(struct writer *writer, uint32_t *pages)
{
	const size_t part = writer->pages / writer->count;

	for (size_t i = 0; i < writer->count; i++)
		pages[i] = (uint32_t)(i * part +
				      bench_random(&writer->random) % part);
}

static void *write_commits(void *argument)
{
	struct writer *writer = argument;
	void *thread = writer->contender->join();
	uint32_t pages[MOST_PAGES];

	pthread_barrier_wait(writer->barrier);
	for (size_t i = 0; i < writer->commits; i++) {
		choose(writer, pages);
		writer->contender->commit(thread, pages, writer->count,
					  writer->random);
	}
	pthread_barrier_wait(writer->barrier);
	writer->contender->leave(thread);
	return NULL;
}

/* Microseconds a commit of all writers together. */
static double measure(const struct contender *contender, size_t file_pages,
		      size_t pages, size_t writers, size_t commits,
		      uint64_t seed)
{
	struct writer states[MOST_WRITERS];
	pthread_t threads[MOST_WRITERS];
	pthread_barrier_t barrier;
	uint64_t start;

	/* Copies of pages need memory, whoever makes them. */
	bench_warm_memory((size_t)64 << 20);
	pthread_barrier_init(&barrier, NULL, (unsigned)writers + 1);
	for (size_t i = 0; i < writers; i++) {
		states[i] = (struct writer){ contender, file_pages, pages,
			commits / writers, seed * 100 + i, &barrier };
		if (pthread_create(&threads[i], NULL, write_commits,
				   &states[i]) != 0)
			bench_fail("pthread_create");
	}
	pthread_barrier_wait(&barrier);
	start = bench_now();
	pthread_barrier_wait(&barrier);
	start = bench_now() - start;
	for (size_t i = 0; i < writers; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	return (double)start / 1000 / (double)(commits / writers * writers);
}

static void compare(size_t file_pages, size_t pages, size_t writers,
		    size_t rounds, size_t commits)
{
	static double samples[CONTENDERS][MOST_ROUNDS];
	double floor = 0;

	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < CONTENDERS; i++)
			samples[i][round] = measure(contenders[i], file_pages,
						    pages, writers, commits,
						    round + 1);
	for (size_t i = 0; i < CONTENDERS; i++) {
		struct bench_summary summary =
			bench_summarise(samples[i], rounds);
		char label[80];

		if (i == 0)
			floor = summary.median;
		snprintf(label, sizeof(label), "%zu pages, %zu writers, %s (%.2f)",
			 pages, writers, contenders[i]->name,
			 summary.median / floor);
		bench_print_summary(label, "us", summary);
	}
}

int main(int argc, char **argv)
{
	const size_t pages = bench_option(argc, argv, "pages", 262144);
	const size_t rounds = bench_option(argc, argv, "rounds", 7);
	const size_t commits = bench_option(argc, argv, "commits", 200);
	const char *parent = getenv("VMS_BENCH_DIRECTORY");
	char directory[256];

	if (rounds > MOST_ROUNDS || pages < MOST_PAGES || commits < MOST_WRITERS)
		bench_refuse(argv[0], "an option is out of its range");
	bench_print_header(argc, argv);
	snprintf(directory, sizeof(directory), "%s/vmspace-bench-XXXXXX",
		 parent ? parent : ".");
	if (!mkdtemp(directory))
		bench_fail(directory);
	for (size_t i = 0; i < CONTENDERS; i++)
		contenders[i]->make(directory, pages);
	for (size_t writers = 1; writers <= MOST_WRITERS; writers *= 8)
		for (size_t dirty = 1; dirty <= MOST_PAGES; dirty *= 16)
			compare(pages, dirty, writers, rounds,
				dirty == MOST_PAGES ? commits / 4 + 8 : commits);
	for (size_t i = 0; i < CONTENDERS; i++)
		contenders[i]->remove(directory);
	rmdir(directory);
	return 0;
}
