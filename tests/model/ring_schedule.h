/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RING_SCHEDULE_H
#define VMSI_TESTS_RING_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All interleavings of some threads, one after the other. A thread is a function on a
 * stack of its own, which gives its turn away before each access to shared memory. A run
 * follows a path of choices; the next run takes another choice at the deepest place that
 * has one left. Where a run comes to a state that an earlier one was in, it ends: what
 * follows was seen. A state is the shared memory, and of each thread all that it has ever
 * read, which decides what it does next.
 *
 * A thread can sleep until another one wakes it. Time passes when nobody is awake: then all
 * that sleep are told so.
 */

#define SCHEDULE_THREADS 4

struct schedule_thread {
	void (*body)(void *argument);
	void *argument;
	bool may_die;          /* at each of its steps */
	bool waits;            /* it runs only when waits_for is dead */
	unsigned waits_for;
};

struct schedule {
	struct schedule_thread threads[SCHEDULE_THREADS];
	unsigned count;
	unsigned deaths;       /* at most, in one run */
	bool time_passes;      /* else whoever sleeps for ever is a failure */
	void *memory;          /* shared; cleared by reset */
	size_t memory_bytes;
	void (*reset)(void);   /* before each run */
	/* After each run that all threads have ended in. false: something is wrong. */
	bool (*check)(void);
};

struct schedule_figures {
	uint64_t runs;         /* to an end */
	uint64_t states;
	unsigned depth;        /* steps of the longest run */
};

/* false: a check failed, and the path was printed. */
bool schedule_explore(const struct schedule *schedule, struct schedule_figures *figures);

/* For the threads: give the turn away, then note what is read. */
void schedule_step(const void *word, size_t size);

/* For the threads: note what else decides what the own thread does. */
void schedule_note(uint64_t value);
void schedule_note_bytes(const void *bytes, size_t size);

/*
 * For the threads: what the own thread does from here on is decided by the bytes alone,
 * and by what it reads later.
 */
void schedule_forget_but(const void *bytes, size_t size);

/* For the threads: sleep until the word is woken. false: time has passed. */
bool schedule_sleep(const void *word);

/* For the threads: wake all that sleep on the word. */
void schedule_wake(const void *word);

/* How often time has passed in this run. */
unsigned schedule_time(void);

/* Whether a thread has died in this run. */
bool schedule_is_dead(unsigned thread);

/* End the run: the thread itself has seen that something is wrong. */
_Noreturn void schedule_fail(const char *what);

#endif
