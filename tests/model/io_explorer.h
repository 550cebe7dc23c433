/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_IO_EXPLORER_H
#define VMSI_TESTS_IO_EXPLORER_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/state.h"
#include "ring_schedule.h"

/* What the explorer of requests in flight and its ring share. */

#define REQUESTS 4
#define USERS 3
#define SPARE 3           /* the thread that the io begins */
#define RECORD_BYTES 2048

enum fault { NONE, DEAF_WAITER, DEAF_THREAD, DEAF_RING };

extern enum fault io_fault;

/* All that is shared, but for what is on the stacks of threads. */
struct io_world {
	alignas(64) char record[RECORD_BYTES];
	struct vmsi_io_request requests[REQUESTS];
	uint64_t ends[REQUESTS];
	uint64_t givers[REQUESTS];         /* the number of the thread that submits it */
	uint64_t again;                    /* whether done has submitted once more */
	uint64_t is_locked;
	uint64_t bells[SCHEDULE_THREADS];  /* rung for a word on a thread's stack */
	uint64_t added_count, flying_count, taken, is_woken;
	struct vmsi_io_request *added[REQUESTS + 1], *flying[REQUESTS + 1];
	void *(*spare)(void *context);
	uint64_t spare_has_ended, is_over, finished;
};

extern struct io_world world;

/* What a world is made of. */
struct user {
	unsigned first, count;   /* requests */
	bool is_detached, polls;
	bool watches;            /* each detached one ends before the next is submitted */
};

struct io_made {
	const char *name;
	unsigned depth, flags;
	bool has_threads, submits_again;
	unsigned breaks_after;   /* operations that the ring takes; 0: all */
	unsigned late_until;     /* request 0 does not end before so many were taken */
	struct user users[USERS];
	unsigned user_count;
};

extern struct io_made made;

/* The number of the thread whose turn it is. */
extern unsigned running;

/* Another thread may run now, and the word matters to who goes on. */
void io_step(const void *word);
void io_sleep_on(const void *word);

#endif
