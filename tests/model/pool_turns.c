/* SPDX-License-Identifier: MIT */
#include "pool_turns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"

/* Tries of a thread that is alone, which cannot come to another end. */
#define TRIES_IN_VAIN 4

struct thread threads[SCHEDULE_THREADS];
unsigned thread_count;
struct thread *running;
unsigned fault;

static const struct explored *world;
static unsigned cases, failures;
/* The world in which a fault is looked for; NULL: all. */
static const char *only;

/* --- turns ----------------------------------------------------------------------------------- */

void explorer_step(const void *word, size_t size)
{
	struct thread *me = running;

	if (world->before_step)
		world->before_step();
	schedule_step(word, size);
	running = me;
}

uint64_t get(const uint64_t *word)
{
	explorer_step(word, sizeof(*word));
	return *word;
}

void set(uint64_t *word, uint64_t value)
{
	explorer_step(word, sizeof(*word));
	*word = value;
}

static bool all_others_are_still(const struct thread *me)
{
	for (unsigned i = 0; i < thread_count; i++)
		if (i != me->number && !world->memory->has_ended[i] &&
		    !world->memory->sleeps[i])
			return false;
	return true;
}

void begin_again(struct thread *thread, uint64_t value)
{
	schedule_forget_but(&thread->done, 3 * sizeof(thread->done));
	schedule_note(value);
}

bool is_alone_in_vain(struct thread *thread)
{
	thread->in_vain = all_others_are_still(thread) ? thread->in_vain + 1 : 0;
	return thread->in_vain > TRIES_IN_VAIN;
}

void try_again(struct thread *thread)
{
	if (is_alone_in_vain(thread))
		schedule_fail("somebody tries again for ever");
}

/* --- to sleep -------------------------------------------------------------------------------- */

void sleep_on(const void *word)
{
	struct thread *me = running;

	world->memory->sleeps[me->number] =
		(uint64_t)((const char *)word - (const char *)world->memory) + 1;
	(void)schedule_sleep(word);
	running = me;
}

void wake_all(const void *word)
{
	const uint64_t name =
		(uint64_t)((const char *)word - (const char *)world->memory) + 1;

	for (unsigned i = 0; i < thread_count; i++)
		if (world->memory->sleeps[i] == name)
			world->memory->sleeps[i] = 0;
	schedule_wake(word);
}

/* Nobody relies on the time after which a sleep ends, so there is none. */
static long futex_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	uint32_t found;

	(void)nanoseconds;
	explorer_step(word, sizeof(uint64_t));
	memcpy(&found, word, sizeof(found));
	if (found != value)
		return -EAGAIN;
	sleep_on(word);
	return 0;
}

/* Fault 1 of all explorers. */
static long futex_wake(const void *word, int count)
{
	(void)count;
	explorer_step(word, sizeof(uint64_t));
	if (fault != 1)
		wake_all(word);
	return 0;
}

struct vmsi_host_calls vmsi_host = {
	.futex_wait = futex_wait,
	.futex_wake = futex_wake,
};

bool nap(struct thread *thread)
{
	explorer_step(&world->memory->naps, sizeof(uint64_t));
	if (all_others_are_still(thread))
		return false;
	sleep_on(&world->memory->naps);
	return true;
}

void take_lock(uint64_t *lock)
{
	while (get(lock))
		sleep_on(lock);
	*lock = 1;
}

void release_lock(uint64_t *lock)
{
	set(lock, 0);
	wake_all(lock);
}

/* --- worlds ---------------------------------------------------------------------------------- */

bool wrong(const char *what)
{
	printf("# %s\n", what);
	return false;
}

static void run(void *argument)
{
	struct thread *thread = argument;

	for (thread->done = 0; thread->done < thread->count; thread->done++) {
		running = thread;
		thread->in_vain = thread->noted = 0;
		begin_again(thread, 0);
		thread->act(thread);
		wake_all(&world->memory->naps);
	}
	world->memory->has_ended[thread->number] = 1;
}

void explore(const struct explored *explored, const char *name)
{
	struct schedule plan = {
		.count = thread_count,
		.memory = explored->memory,
		.memory_bytes = explored->memory_bytes,
		.reset = explored->reset,
		.check = explored->check,
	};
	struct schedule_figures figures;
	bool is_good;

	/* One world that shows the fault is enough. */
	if (fault && (failures || (only && strcmp(only, name) != 0)))
		return;
	world = explored;
	for (unsigned i = 0; i < thread_count; i++) {
		threads[i].number = i;
		plan.threads[i] = (struct schedule_thread){
			.body = run, .argument = &threads[i],
		};
	}
	is_good = schedule_explore(&plan, &figures);
	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	if (!fault)
		printf("%sok %u - %s\n", is_good ? "" : "not ", ++cases, name);
	failures += !is_good;
}

void read_fault(int argc, char **argv, const char *const *names)
{
	if (argc < 3 || strcmp(argv[1], "--must-find") != 0)
		return;
	for (unsigned i = 1; names[i]; i++)
		if (strcmp(argv[2], names[i]) == 0)
			fault = i;
	only = argv[3];
}

int end_of_worlds(const char *const *names)
{
	if (fault) {
		printf("%sok 1 - the fault is found: %s\n", failures ? "" : "not ",
		       names[fault]);
		cases = 1;
		failures = failures == 0;
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
