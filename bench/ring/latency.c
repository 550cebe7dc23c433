/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmspace.h>

#include "bench.h"

/*
 * A record there and one back between two processes, half of which is the time of one
 * way: by two rings, polled and blocking, beside two words of shared memory that are
 * polled, and two words that are slept on by futex(2). A record is read, answered, and
 * released then, as it is where the answer is made of it in place.
 *
 * How long a line of memory takes from one processor to another depends on its address.
 * Records have many, and so have the words: other ones in each run.
 */

#define RUNS_MOST 64

static _Noreturn void fail(const char *what)
{
	(void)fprintf(stderr, "bench-ring-latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- two words --------------------------------------------------------------------------- */

/* A pair for each run. */
static struct words {
	_Alignas(128) _Atomic uint32_t there;
	_Alignas(128) _Atomic uint32_t back;
} *words;

static void pause_a_moment(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void wait_polled(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) != value)
		pause_a_moment();
}

static void tell_polled(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

static void wait_by_futex(_Atomic uint32_t *word, uint32_t value)
{
	uint32_t now;

	while ((now = atomic_load(word)) != value)
		(void)syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void tell_by_futex(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* --- ways of passing a record ---------------------------------------------------------------- */

struct side {
	vms_ring *out, *in;
	_Atomic uint32_t *out_word, *in_word;
	size_t length;                   /* of a record */
	struct vms_ring_record record;   /* the latest one that was received */
};

struct way {
	const char *name;
	void (*send)(struct side *side, uint32_t number);
	void (*receive)(struct side *side, uint32_t number);
	/* Give back what was received. */
	void (*release)(struct side *side);
	size_t length;
	unsigned slower;                 /* so many times fewer records */
	unsigned base;                   /* what it is compared with */
};

static void send_polled_word(struct side *side, uint32_t number)
{
	tell_polled(side->out_word, number);
}

static void receive_polled_word(struct side *side, uint32_t number)
{
	wait_polled(side->in_word, number);
}

static void release_word(struct side *side)
{
	(void)side;
}

static void send_futex_word(struct side *side, uint32_t number)
{
	tell_by_futex(side->out_word, number);
}

static void receive_futex_word(struct side *side, uint32_t number)
{
	wait_by_futex(side->in_word, number);
}

static void send_record(struct side *side, uint32_t number)
{
	uint32_t *record = vms_ring_try_claim(side->out, side->length);

	if (!record)
		fail("vms_ring_try_claim");
	*record = number;
	if (vms_ring_commit(side->out, record, side->length) != 0)
		fail("vms_ring_commit");
}

static void check_record(const struct side *side, uint32_t number)
{
	if (*(const uint32_t *)side->record.data != number)
		fail("a record");
}

static void receive_polled(struct side *side, uint32_t number)
{
	while (vms_ring_peek(side->in, &side->record, 1) == 0)
		pause_a_moment();
	check_record(side, number);
}

static void receive_blocking(struct side *side, uint32_t number)
{
	if (vms_ring_wait(side->in, VMS_RING_FOREVER) != 0 ||
	    vms_ring_peek(side->in, &side->record, 1) != 1)
		fail("vms_ring_wait");
	check_record(side, number);
}

static void release_record(struct side *side)
{
	if (vms_ring_release(side->in, &side->record) != 0)
		fail("vms_ring_release");
}

static const struct way ways[] = {
	{ "two words, polled", send_polled_word, receive_polled_word, release_word,
	  0, 1, 0 },
	{ "two rings, polled, 8 bytes", send_record, receive_polled, release_record,
	  8, 1, 0 },
	{ "two rings, polled, 64 bytes", send_record, receive_polled, release_record,
	  64, 1, 0 },
	{ "two words, futex", send_futex_word, receive_futex_word, release_word,
	  0, 10, 3 },
	{ "two rings, blocking, 64 bytes", send_record, receive_blocking, release_record,
	  64, 10, 3 },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* --- runs --------------------------------------------------------------------------------------- */

static vms_ring *make_ring(void)
{
	vms_ring *ring = vms_ring_create(NULL, VMS_RING_SPSC, 1 << 16, NULL);

	if (!ring)
		fail("vms_ring_create");
	return ring;
}

static vms_ring *take_part(const vms_ring *ring, unsigned part)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = part,
	};
	vms_ring *mine = vms_ring_attach(vms_ring_fd(ring), &options);

	if (!mine)
		fail("vms_ring_attach");
	return mine;
}

static _Noreturn void answer(const struct way *way, const vms_ring *there,
			     const vms_ring *back, struct words *pair, uint32_t count)
{
	struct side side = {
		.out = take_part(back, VMS_RING_PRODUCER),
		.in = take_part(there, VMS_RING_CONSUMER),
		.out_word = &pair->back, .in_word = &pair->there, .length = way->length,
	};

	for (uint32_t i = 1; i <= count; i++) {
		way->receive(&side, i);
		way->send(&side, i);
		way->release(&side);
	}
	_exit(0);
}

static void close_rings(const struct side *side, vms_ring *there, vms_ring *back)
{
	(void)vms_ring_close(side->out);
	(void)vms_ring_close(side->in);
	(void)vms_ring_close(there);
	(void)vms_ring_close(back);
}

/* Nanoseconds for one way. */
static double run(const struct way *way, struct words *pair, uint32_t records)
{
	const uint32_t count = records / way->slower;
	const uint32_t warm = count / 10 + 1;
	vms_ring *there = make_ring(), *back = make_ring();
	struct side side = {
		.out = take_part(there, VMS_RING_PRODUCER),
		.in = take_part(back, VMS_RING_CONSUMER),
		.out_word = &pair->there, .in_word = &pair->back, .length = way->length,
	};
	uint64_t start = 0;
	double time;
	pid_t child;
	int status;

	atomic_store(&pair->there, 0);
	atomic_store(&pair->back, 0);
	child = fork();
	if (child == 0)
		answer(way, there, back, pair, warm + count);
	for (uint32_t i = 1; i <= warm + count; i++) {
		if (i == warm + 1)
			start = bench_now();
		way->send(&side, i);
		way->receive(&side, i);
		way->release(&side);
	}
	time = (double)(bench_now() - start) / (2 * (double)count);
	if (waitpid(child, &status, 0) != child || status != 0)
		fail("the other process");
	close_rings(&side, there, back);
	return time;
}

static double samples[WAYS][RUNS_MOST];

/* Times what it is compared with: the median of the runs. */
static double times_base(size_t way, size_t runs)
{
	double times[RUNS_MOST];

	for (size_t k = 0; k < runs; k++)
		times[k] = samples[way][k] / samples[ways[way].base][k];
	return bench_summarise(times, runs).median;
}

int main(int argc, char **argv)
{
	const uint32_t records = (uint32_t)bench_option(argc, argv, "records", 200000);
	uint64_t runs = bench_option(argc, argv, "runs", 11);

	if (runs < 1 || runs > RUNS_MOST)
		runs = RUNS_MOST;
	bench_print_header(argc, argv);
	printf("# in brackets: times the bare words of the same way, in the same run\n");
	words = mmap(NULL, RUNS_MOST * sizeof(*words), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED)
		fail("mmap");
	for (size_t k = 0; k < runs; k++)
		for (size_t i = 0; i < WAYS; i++)
			samples[i][k] = run(&ways[i], &words[k], records);
	for (size_t i = 0; i < WAYS; i++) {
		char label[80];

		(void)snprintf(label, sizeof(label), "%s (%.2f)", ways[i].name,
			       times_base(i, runs));
		bench_print_summary(label, "ns", bench_summarise(samples[i], runs));
	}
	return 0;
}
