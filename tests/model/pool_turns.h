/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_TURNS_H
#define VMSI_TESTS_POOL_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring_schedule.h"

/*
 * What the explorers of a pool's pages share that are compiled with more of its code than
 * word.c (plain_explorer.c, lend_explorer.c): threads of some operations each, which sleep
 * and are woken by the host's table, and worlds of them.
 */

struct thread {
	unsigned number;
	unsigned count;          /* operations */
	unsigned place;          /* which page, or part of one, it uses */
	unsigned fails;          /* what it asks of the host; 0: nothing does */
	void (*act)(struct thread *thread);
	/* Of a run: what decides what it does, but for what it reads. */
	uint64_t done;
	uint64_t in_vain;        /* tries while nobody else can change anything */
	uint64_t noted;          /* what else it goes by */
};

extern struct thread threads[SCHEDULE_THREADS];
extern unsigned thread_count;

/* The thread that has its turn; and to have it again after a step of another. */
extern struct thread *running;

/* The beginning of what all threads share: the offset of what each sleeps on, plus one. */
struct turns {
	uint64_t sleeps[SCHEDULE_THREADS], has_ended[SCHEDULE_THREADS];
	uint64_t naps;           /* is woken after each operation */
};

/* What is explored, the same for all worlds. */
struct explored {
	struct turns *memory;    /* of all that is shared */
	size_t memory_bytes;
	void (*reset)(void);     /* before each run; the memory is zero */
	bool (*check)(void);     /* after it */
	void (*before_step)(void); /* notes in the memory what is elsewhere; may be NULL */
};

/* A fault that must be found; 0: none. */
extern unsigned fault;

/* Another thread may run now, and what is at the word matters to who goes on. */
void explorer_step(const void *word, size_t size);
uint64_t get(const uint64_t *word);
void set(uint64_t *word, uint64_t value);

/* Wait until somebody wakes the word, which was looked at in this turn. */
void sleep_on(const void *word);
void wake_all(const void *word);

/* A lock that is a word of the memory. */
void take_lock(uint64_t *lock);
void release_lock(uint64_t *lock);

/*
 * What the thread does from here on does not depend on what it has read, but for what is
 * noted, and a value that tells where it is.
 */
void begin_again(struct thread *thread, uint64_t value);

/*
 * It tries once more. Returns whether it has done so a few times while nobody else could
 * change anything; try_again is for who must have come to an end by then.
 */
bool is_alone_in_vain(struct thread *thread);
void try_again(struct thread *thread);

/* Sleep until another thread is through with an operation. false: none would be. */
bool nap(struct thread *thread);

/* Say what is wrong. Returns false. */
bool wrong(const char *what);

/* Explore one world, of the threads that there are. */
void explore(const struct explored *explored, const char *name);

#define WORLD(explored, name, ...)                                              \
	do {                                                                    \
		const struct thread made[] = { __VA_ARGS__ };                   \
									        \
		thread_count = sizeof(made) / sizeof(made[0]);                  \
		memcpy(threads, made, sizeof(made));                            \
		explore(explored, name);                                        \
	} while (0)

/* The arguments of a program: --must-find FAULT, one of the names, which end with NULL. */
void read_fault(int argc, char **argv, const char *const *names);

/* Returns the status of the program. */
int end_of_worlds(const char *const *names);

#endif
