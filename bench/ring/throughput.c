/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "contender.h"

/*
 * Records a second from one process to another, in rings and in what else there is; and
 * from four. --records N for each, fewer for what is slower.
 */

#define RUNS_MOST 32
#define PRODUCERS_MOST 4

size_t bench_touched = SIZE_MAX;

_Noreturn void bench_fail(const char *what)
{
	(void)fprintf(stderr, "bench-ring: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const struct measured {
	const struct contender *contender;
	unsigned slower;       /* so many times fewer records */
	unsigned producers;
} all[] = {
	{ &contender_spsc, 1, 1 },
	{ &contender_places, 1, 1 },
	{ &contender_mpsc, 1, 1 },
	{ &contender_waiting, 1, 1 },
	{ &contender_waiting, 1, 4 },
	{ &contender_written, 1, 1 },
#ifdef HAVE_CK
	{ &contender_ck, 1, 1 },
#endif
#ifdef HAVE_QB
	{ &contender_qb, 4, 1 },
#endif
#ifdef HAVE_BOOST
	{ &contender_boost, 10, 1 },
#endif
	{ &contender_pipe, 10, 1 },
	{ &contender_socket, 10, 1 },
	{ &contender_mq, 10, 1 },
};
#define ALL (sizeof(all) / sizeof(all[0]))

static const char absent[] = ""
#ifndef HAVE_CK
	" ck_ring (libck-dev)"
#endif
#ifndef HAVE_QB
	" libqb (libqb-dev)"
#endif
#ifndef HAVE_BOOST
	" boost::interprocess (libboost-dev)"
#endif
	" liblfds (no package of Debian)";

/* --- one run --------------------------------------------------------------------------- */

struct start {
	_Atomic unsigned ready;
	_Atomic unsigned go;
};

static struct start *begin;

static void wait_for_start(void)
{
	atomic_fetch_add(&begin->ready, 1);
	while (!atomic_load(&begin->go))
		(void)sched_yield();
}

static pid_t fork_producer(const struct measured *measured, void *channel, size_t length,
			   uint64_t count)
{
	pid_t process = fork();
	void *end;

	if (process != 0)
		return process;
	end = measured->contender->join_producer(channel);
	wait_for_start();
	measured->contender->produce(end, length, count);
	_exit(0);
}

/* Nanoseconds for a record. */
static double run(const struct measured *measured, size_t length, uint64_t records)
{
	const struct contender *contender = measured->contender;
	const uint64_t count = records / measured->slower / measured->producers;
	void *channel = contender->make(length);
	void *end = contender->join_consumer(channel);
	pid_t processes[PRODUCERS_MOST];
	uint64_t start, time;
	int status;

	*begin = (struct start){ 0 };
	for (unsigned i = 0; i < measured->producers; i++)
		processes[i] = fork_producer(measured, channel, length, count);
	while (atomic_load(&begin->ready) < measured->producers)
		(void)sched_yield();
	start = bench_now();
	atomic_store(&begin->go, 1);
	bench_use(contender->consume(end, length, count * measured->producers));
	time = bench_now() - start;
	for (unsigned i = 0; i < measured->producers; i++)
		if (waitpid(processes[i], &status, 0) != processes[i] || status != 0)
			bench_fail("a producer");
	if (end != channel)
		contender->drop(end);
	contender->drop(channel);
	return (double)time / (double)(count * measured->producers);
}

/* --- all ------------------------------------------------------------------------------- */

static void measure(size_t length, uint64_t records, size_t runs, uint64_t *random)
{
	static double samples[ALL][RUNS_MOST];
	double first = 0;
	size_t order[ALL];

	for (size_t k = 0; k < runs; k++) {
		bench_order(order, ALL, random);
		for (size_t i = 0; i < ALL; i++)
			samples[order[i]][k] = run(&all[order[i]], length, records);
	}
	printf("\nrecords of %zu bytes, between processes, %s: ns a record\n", length,
	       bench_touched < length ? "the first word touched" : "all touched");
	for (size_t i = 0; i < ALL; i++) {
		struct bench_summary summary = bench_summarise(samples[i], runs);
		char label[80];

		if (i == 0)
			first = summary.median;
		(void)snprintf(label, sizeof(label), "%s%s (%.2f)",
			       all[i].contender->name,
			       all[i].producers > 1 ? ": four" : "",
			       summary.median / first);
		bench_print_summary(label, "ns", summary);
	}
}

int main(int argc, char **argv)
{
	const uint64_t records = bench_option(argc, argv, "records", 2000000);
	uint64_t runs = bench_option(argc, argv, "runs", 7);
	uint64_t random = bench_option(argc, argv, "seed", 11);

	if (runs < 1 || runs > RUNS_MOST)
		runs = RUNS_MOST;
	bench_print_header(argc, argv);
	printf("# absent:%s\n", absent);
	printf("# in brackets: times the first line\n");
	begin = mmap(NULL, sizeof(*begin), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (begin == MAP_FAILED)
		bench_fail("mmap");
	measure(64, records, runs, &random);
	measure(4096, records / 8, runs, &random);
	bench_touched = sizeof(uint64_t);
	measure(4096, records / 8, runs, &random);
	return 0;
}
