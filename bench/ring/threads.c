/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "contender.h"

/*
 * One producer and one consumer, threads of one process: a ring beside ck_ring. Records of 8
 * bytes are what ck_ring is made for: it passes them as pointers.
 */

#define RUNS_MOST 32

size_t bench_touched = SIZE_MAX;

_Noreturn void bench_fail(const char *what)
{
	(void)fprintf(stderr, "bench-ring: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const struct contender *const all[] = {
	&contender_spsc, &contender_ck,
};
#define ALL (sizeof(all) / sizeof(all[0]))

struct work {
	const struct contender *contender;
	void *end;
	size_t length;
	uint64_t count;
	pthread_barrier_t *start;
};

static void *produce(void *argument)
{
	const struct work *work = argument;

	(void)pthread_barrier_wait(work->start);
	work->contender->produce(work->end, work->length, work->count);
	return NULL;
}

/* Nanoseconds for a record. */
static double run(const struct contender *contender, size_t length, uint64_t count)
{
	void *channel = contender->make(length);
	void *end = contender->join_consumer(channel);
	struct work work = {
		contender, contender->join_producer(channel), length, count, NULL,
	};
	pthread_barrier_t barrier;
	pthread_t thread;
	uint64_t start;
	double time;

	(void)pthread_barrier_init(&barrier, NULL, 2);
	work.start = &barrier;
	if (pthread_create(&thread, NULL, produce, &work) != 0)
		bench_fail("pthread_create");
	(void)pthread_barrier_wait(&barrier);
	start = bench_now();
	bench_use(contender->consume(end, length, count));
	time = (double)(bench_now() - start) / (double)count;
	(void)pthread_join(thread, NULL);
	(void)pthread_barrier_destroy(&barrier);
	if (end != channel) {
		contender->drop(end);
		contender->drop(work.end);
	}
	contender->drop(channel);
	return time;
}

static void measure(size_t length, uint64_t count, size_t runs)
{
	static double samples[ALL][RUNS_MOST];
	double first = 0;

	for (size_t k = 0; k < runs; k++)
		for (size_t i = 0; i < ALL; i++)
			samples[i][k] = run(all[i], length, count);
	printf("\nrecords of %zu bytes, between threads: ns a record\n", length);
	for (size_t i = 0; i < ALL; i++) {
		struct bench_summary summary = bench_summarise(samples[i], runs);
		char label[80];

		if (i == 0)
			first = summary.median;
		(void)snprintf(label, sizeof(label), "%s (%.2f)", all[i]->name,
			       summary.median / first);
		bench_print_summary(label, "ns", summary);
	}
}

int main(int argc, char **argv)
{
	const uint64_t records = bench_option(argc, argv, "records", 5000000);
	uint64_t runs = bench_option(argc, argv, "runs", 11);

	if (runs < 1 || runs > RUNS_MOST)
		runs = RUNS_MOST;
	bench_print_header(argc, argv);
	printf("# in brackets: times the first line\n");
	measure(8, records, runs);
	measure(64, records, runs);
	measure(4096, records / 16, runs);
	return 0;
}
