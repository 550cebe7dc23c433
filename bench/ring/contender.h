/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_RING_CONTENDER_H
#define VMSI_BENCH_RING_CONTENDER_H

#include <stddef.h>
#include <stdint.h>

/*
 * What passes records of one length from processes to another one. A record is written
 * and read in place where that is possible: all of it, or its first word alone, where only
 * what passes it is to be measured. A failure ends the program.
 */

/*
 * Of memory, where that can be said: more than the caches of one processor have. From those
 * a line that was written goes to another processor more slowly than from what they share.
 */
#define CHANNEL_BYTES ((size_t)4 << 20)

#ifdef __cplusplus
extern "C" {
#endif

struct contender {
	const char *name;
	/* Before the processes are forked. */
	void *(*make)(size_t length);
	/* In each process. */
	void *(*join_producer)(void *channel);
	void *(*join_consumer)(void *channel);
	void (*produce)(void *end, size_t length, uint64_t count);
	/* Returns a sum of what was read. */
	uint64_t (*consume)(void *end, size_t length, uint64_t count);
	/* After they have ended. */
	void (*drop)(void *channel);
	unsigned producers_most;
};

extern const struct contender contender_spsc, contender_mpsc, contender_waiting;
extern const struct contender contender_written;
extern const struct contender contender_places;
extern const struct contender contender_pipe, contender_socket, contender_mq;
extern const struct contender contender_ck, contender_qb, contender_boost;

#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void bench_fail(const char *what);

/* The bytes of a record that are written and read, at most. */
extern size_t bench_touched;

static inline void write_record(void *record, size_t length, uint64_t number)
{
	uint64_t *words = (uint64_t *)record;

	if (length > bench_touched)
		length = bench_touched;
	for (size_t i = 0; i < length / sizeof(number); i++)
		words[i] = number;
}

static inline uint64_t read_record(const void *record, size_t length)
{
	const uint64_t *words = (const uint64_t *)record;
	uint64_t sum = 0;

	if (length > bench_touched)
		length = bench_touched;
	for (size_t i = 0; i < length / sizeof(sum); i++)
		sum += words[i];
	return sum;
}

/* A moment for the other side. */
static inline void bench_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

#ifdef __cplusplus
}
#endif

#endif
