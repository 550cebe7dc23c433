/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_WORLD_H
#define VMSI_TESTS_POOL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "ring_schedule.h"

/* What pool_explorer.c has threads do with one page. */

#define SLOTS 2

/* All that is shared. */
struct world {
	uint64_t word;
	uint64_t frames[SLOTS][2];
	uint64_t file[2];
	uint64_t committed;     /* changes that are over */
	uint64_t is_free;       /* what is in the page is of no interest */
	uint64_t next_slot;
	uint64_t taken, given_back;   /* fixes, where somebody gives back what it has not */
	uint64_t sleeps[SCHEDULE_THREADS], has_ended[SCHEDULE_THREADS];
};

extern struct world world;

/* Faults that must be found: pool_explorer.c. */
enum fault {
	NONE, TORN, NO_WAKE, LEAVES_WHILE_WRITTEN, NO_VERSION, COMES_TOO_EARLY, COOLS_BLINDLY,
	FREES_WHAT_IS_HELD,
};

extern enum fault fault;

struct thread {
	unsigned number;
	unsigned count;          /* operations */
	bool fails;              /* writes of the one that writes back */
	void (*act)(struct thread *thread);
	/* Of a run: what decides what it does, but for what it reads. */
	uint64_t done;
	uint64_t has_stood_back;
};

extern struct thread threads[SCHEDULE_THREADS];
extern unsigned thread_count;

/* Operations of a thread. */
void write_page(struct thread *thread);
void write_and_read(struct thread *thread);
void read_page(struct thread *thread);
void read_among_strangers(struct thread *thread);
void give_back_unfixed(struct thread *thread);
void read_without_fix(struct thread *thread);
void upgrade(struct thread *thread);
void evict(struct thread *thread);
void evict_addressed(struct thread *thread);
void write_back(struct thread *thread);
void read_ahead(struct thread *thread);
void cool(struct thread *thread);
void free_and_allocate(struct thread *thread);

/* A thread, from its beginning to its end; argument is its struct thread. */
void run(void *argument);

/* Before each run, and whether all is well after it. */
void reset(void);
bool check(void);

#endif
