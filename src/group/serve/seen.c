/* SPDX-License-Identifier: MIT */
#include "group/serve/seen.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "group/clock.h"
#include "group/serve/own_thread.h"

/* So many stacks are remembered; those that were used longest ago are forgotten. */
#define SEEN_MOST 1024
#define BUCKETS 256u

/* Files may come from a process that waits for the supervisor: see backtrace.c. */
#define NAME_MOST_S 3

struct vmsi_seen {
	struct vmsi_seen *next;     /* in its bucket */
	struct vmsi_seen *next_job; /* in the queue of those to name */
	unsigned holds;             /* the queue holds it, too */
	uint64_t used;              /* when, in the order of uses */
	uint64_t hash;
	bool is_named;
	char *text;                 /* NULL where it was named without memory */
	struct vmsi_frames frames;
};

/* The lock guards all that follows, and the fields of stacks. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmsi_seen *buckets[BUCKETS];
static size_t count;
static uint64_t uses;
static struct vmsi_seen *jobs, **last_job = &jobs;
static bool thread_runs;
static bool is_stuck;   /* one took too long, and nothing was named since */
static uint64_t begun;  /* when the thread began to name the one that it is at, in ns */
static bool closes;     /* the thread is to close its files at its end */
/* Told of each stack that was named, and of the end of the thread. */
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_condition(void)
{
	vmsi_own_condition_init(&changed);
}

/* --- the table ------------------------------------------------------------ */

/* FNV-1a, of words. */
static uint64_t hash_of(const struct vmsi_frames *frames)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < frames->count; i++) {
		hash = (hash ^ (uintptr_t)frames->list[i].file) *
			0x100000001b3;
		hash = (hash ^ frames->list[i].at) * 0x100000001b3;
	}
	return hash ^ hash >> 32;
}

static bool are_equal(const struct vmsi_frames *a, const struct vmsi_frames *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].file != b->list[i].file ||
		    a->list[i].at != b->list[i].at)
			return false;
	return true;
}

static struct vmsi_seen *find(const struct vmsi_frames *frames, uint64_t hash)
{
	struct vmsi_seen *stack = buckets[hash % BUCKETS];

	while (stack && (stack->hash != hash ||
			 !are_equal(&stack->frames, frames)))
		stack = stack->next;
	return stack;
}

static void release(struct vmsi_seen *stack)
{
	struct vmsi_seen **link = &buckets[stack->hash % BUCKETS];

	while (*link != stack)
		link = &(*link)->next;
	*link = stack->next;
	count--;
	vmsi_frames_drop(&stack->frames);
	free(stack->text);
	free(stack);
}

/* The stack that was used longest ago and that nobody holds; NULL: all are held. */
static struct vmsi_seen *oldest(void)
{
	struct vmsi_seen *found = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct vmsi_seen *one = buckets[i]; one; one = one->next)
			if (!one->holds && (!found || one->used < found->used))
				found = one;
	return found;
}

static struct vmsi_seen *add(const struct vmsi_frames *frames, uint64_t hash)
{
	struct vmsi_seen *stack = calloc(1, sizeof *stack);
	struct vmsi_seen *old = count >= SEEN_MOST ? oldest() : NULL;

	if (!stack)
		return NULL;
	if (old)
		release(old);
	stack->hash = hash;
	stack->frames = *frames;
	stack->next = buckets[hash % BUCKETS];
	buckets[hash % BUCKETS] = stack;
	count++;
	return stack;
}

/* --- the thread that names ------------------------------------------------ */

static struct vmsi_seen *next_job(void)
{
	struct vmsi_seen *stack = jobs;

	if (stack) {
		jobs = stack->next_job;
		if (!jobs)
			last_job = &jobs;
	}
	return stack;
}

static void note_named(struct vmsi_seen *stack, char *text)
{
	stack->text = text;
	stack->is_named = true;
	stack->holds--;
	is_stuck = false;
	pthread_cond_broadcast(&changed);
}

static void *name_stacks(void *unused)
{
	struct vmsi_seen *stack;

	pthread_mutex_lock(&lock);
	while ((stack = next_job())) {
		char *text;

		begun = vmsi_now();
		pthread_mutex_unlock(&lock);
		text = vmsi_names_of(&stack->frames);
		pthread_mutex_lock(&lock);
		note_named(stack, text);
	}
	if (closes)
		vmsi_names_close();
	thread_runs = closes = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return unused;
}

/* Without memory for the thread the next stack tries again. */
static void start_thread(void)
{
	pthread_t thread;

	if (thread_runs || vmsi_own_thread_start(&thread, name_stacks, NULL))
		return;
	pthread_detach(thread);
	thread_runs = true;
	begun = vmsi_now();
}

static void queue(struct vmsi_seen *stack)
{
	stack->holds++;
	stack->next_job = NULL;
	*last_job = stack;
	last_job = &stack->next_job;
}

/*
 * With the lock: wait for something to be named, or for the thread's end. Returns
 * false where the time is over.
 */
static bool await(const struct timespec *until)
{
	return thread_runs &&
		pthread_cond_timedwait(&changed, &lock, until) != ETIMEDOUT;
}

static struct timespec end_of_wait(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += NAME_MOST_S;
	return until;
}

/* --- what the serving thread asks ----------------------------------------- */

struct vmsi_seen *vmsi_seen_take(struct vmsi_frames *frames)
{
	const uint64_t hash = hash_of(frames);
	struct vmsi_seen *stack;
	bool is_new;

	pthread_once(&once, init_condition);
	pthread_mutex_lock(&lock);
	stack = find(frames, hash);
	is_new = !stack;
	if (is_new)
		stack = add(frames, hash);
	if (stack) {
		stack->holds++;
		stack->used = ++uses;
	}
	if (stack && is_new)
		queue(stack);
	if (jobs)
		start_thread();
	pthread_mutex_unlock(&lock);
	if (!stack || !is_new)
		vmsi_frames_drop(frames);
	return stack;
}

bool vmsi_seen_is_known(const struct vmsi_frames *frames)
{
	bool is_known;

	pthread_mutex_lock(&lock);
	is_known = find(frames, hash_of(frames)) != NULL;
	pthread_mutex_unlock(&lock);
	return is_known;
}

void vmsi_seen_drop(struct vmsi_seen *stack)
{
	if (!stack)
		return;
	pthread_mutex_lock(&lock);
	stack->holds--;
	pthread_mutex_unlock(&lock);
}

/* Nobody may wait in vmsi_seen_text, so the time is looked at here as well. */
static void note_stuck(void)
{
	if (thread_runs && vmsi_now() - begun > NAME_MOST_S * UINT64_C(1000000000))
		is_stuck = true;
}

bool vmsi_seen_is_named(struct vmsi_seen *stack)
{
	bool is_named;

	pthread_mutex_lock(&lock);
	note_stuck();
	is_named = stack->is_named || is_stuck || !thread_runs;
	pthread_mutex_unlock(&lock);
	return is_named;
}

const char *vmsi_seen_text(struct vmsi_seen *stack, const char **why)
{
	const struct timespec until = end_of_wait();
	const char *text;

	pthread_mutex_lock(&lock);
	while (!stack->is_named && !is_stuck && thread_runs)
		if (!await(&until))
			is_stuck = !stack->is_named;
	text = stack->is_named ? stack->text : NULL;
	if (!text)
		*why = is_stuck ? "the stack cannot be named in time" :
				  "no memory";
	pthread_mutex_unlock(&lock);
	return text;
}

void vmsi_seen_forget(void)
{
	const struct timespec until = end_of_wait();
	struct vmsi_seen *stack;

	pthread_once(&once, init_condition);
	pthread_mutex_lock(&lock);
	closes = true;
	while (await(&until) && !is_stuck)
		;
	if (!thread_runs) {
		vmsi_names_close();
		closes = false;
		while ((stack = next_job()))
			stack->holds--;
	}
	while ((stack = oldest()))
		release(stack);
	pthread_mutex_unlock(&lock);
}
