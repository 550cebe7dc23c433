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

/*
 * So many may wait, and so much of the stacks that were copied of them: a program may ask
 * a thousand times while its file is read for the first names.
 */
#define WAIT_MOST 1024u
#define WAIT_BYTES_MOST ((size_t)16 << 20)

/* Files may come from a process that waits for the supervisor: see backtrace.c. */
#define NAME_MOST_S 3

/* A distinct stack. */
struct seen {
	struct seen *next;          /* in its bucket */
	unsigned holds;             /* by those that were taken */
	uint64_t used;              /* when, in the order of uses */
	uint64_t hash;
	char *text;                 /* NULL where it was named without memory */
	struct vmsi_frames frames;
};

/* One that was taken of a thread. */
struct vmsi_taken {
	struct vmsi_taken *next;    /* in the queue of those to name */
	unsigned holds;             /* the queue holds it, too */
	struct vmsi_capture *capture; /* NULL: it was unwound, to frames */
	struct vmsi_frames frames;
	bool is_named;
	struct seen *stack;         /* held; NULL: there is none */
	const char *why;
};

/* The lock guards all that follows, and the fields of both. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct seen *buckets[BUCKETS];
static size_t count;
static uint64_t uses;
static struct vmsi_taken *jobs, **last_job = &jobs;
static unsigned waiting; /* jobs, and the one that the thread is at */
static size_t waiting_bytes; /* copied of their stacks */
static bool thread_runs;
static bool is_stuck;   /* one took too long, and nothing was named since */
static uint64_t begun;  /* when the thread began with the one that it is at, in ns */
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

static struct seen *find(const struct vmsi_frames *frames, uint64_t hash)
{
	struct seen *stack = buckets[hash % BUCKETS];

	while (stack && (stack->hash != hash ||
			 !are_equal(&stack->frames, frames)))
		stack = stack->next;
	return stack;
}

static void release(struct seen *stack)
{
	struct seen **link = &buckets[stack->hash % BUCKETS];

	while (*link != stack)
		link = &(*link)->next;
	*link = stack->next;
	count--;
	vmsi_frames_drop(&stack->frames);
	free(stack->text);
	free(stack);
}

/* The stack that was used longest ago and that nobody holds; NULL: all are held. */
static struct seen *oldest(void)
{
	struct seen *found = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct seen *one = buckets[i]; one; one = one->next)
			if (!one->holds && (!found || one->used < found->used))
				found = one;
	return found;
}

static struct seen *add(const struct vmsi_frames *frames, uint64_t hash)
{
	struct seen *stack = calloc(1, sizeof *stack);
	struct seen *old = count >= SEEN_MOST ? oldest() : NULL;

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

static void let_go(struct vmsi_taken *taken)
{
	if (--taken->holds)
		return;
	if (taken->stack)
		taken->stack->holds--;
	vmsi_frames_drop(&taken->frames);
	vmsi_capture_free(taken->capture);
	free(taken);
}

static size_t copied_of(const struct vmsi_taken *taken)
{
	return taken->capture ? taken->capture->stack_bytes : 0;
}

static struct vmsi_taken *next_job(void)
{
	struct vmsi_taken *taken = jobs;

	if (taken) {
		jobs = taken->next;
		if (!jobs)
			last_job = &jobs;
	}
	return taken;
}

/* The stack of these frames, held, which are used up; NULL: there is no memory. */
static struct seen *known(struct vmsi_frames *frames, bool *is_new)
{
	const uint64_t hash = hash_of(frames);
	struct seen *stack = find(frames, hash);

	*is_new = !stack;
	if (*is_new)
		stack = add(frames, hash);
	if (!stack || !*is_new)
		vmsi_frames_drop(frames);
	frames->count = 0;
	if (!stack)
		return NULL;
	stack->holds++;
	stack->used = ++uses;
	return stack;
}

/* With the lock, which is given up while files are read. */
static void name(struct vmsi_taken *taken)
{
	struct seen *stack;
	bool is_new = false;
	char *text;

	if (taken->capture) {
		pthread_mutex_unlock(&lock);
		taken->why = vmsi_capture_unwind(taken->capture, &taken->frames);
		vmsi_capture_free(taken->capture);
		taken->capture = NULL;
		pthread_mutex_lock(&lock);
	}
	stack = taken->why ? NULL : known(&taken->frames, &is_new);
	if (is_new && stack) {
		pthread_mutex_unlock(&lock);
		text = vmsi_names_of(&stack->frames);
		pthread_mutex_lock(&lock);
		stack->text = text;
	}
	taken->stack = stack;
	taken->is_named = true;
}

static void *name_stacks(void *unused)
{
	struct vmsi_taken *taken;
	size_t copied;

	pthread_mutex_lock(&lock);
	while ((taken = next_job())) {
		begun = vmsi_now();
		copied = copied_of(taken);
		name(taken);
		let_go(taken);
		waiting--;
		waiting_bytes -= copied;
		is_stuck = false;
		pthread_cond_broadcast(&changed);
	}
	if (closes) {
		vmsi_backtrace_forget();
		vmsi_names_close();
	}
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

static void queue(struct vmsi_taken *taken)
{
	taken->holds++;
	waiting++;
	waiting_bytes += copied_of(taken);
	*last_job = taken;
	last_job = &taken->next;
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

static void begin(struct vmsi_taken *taken)
{
	pthread_once(&once, init_condition);
	pthread_mutex_lock(&lock);
	taken->holds = 1;
	queue(taken);
	start_thread();
	pthread_mutex_unlock(&lock);
}

bool vmsi_seen_is_full(void)
{
	bool is_full;

	pthread_mutex_lock(&lock);
	is_full = waiting >= WAIT_MOST || waiting_bytes >= WAIT_BYTES_MOST;
	pthread_mutex_unlock(&lock);
	return is_full;
}

struct vmsi_taken *vmsi_seen_take(struct vmsi_capture *capture)
{
	struct vmsi_taken *taken = calloc(1, sizeof *taken);

	if (taken) {
		taken->capture = capture;
		begin(taken);
	} else {
		vmsi_capture_free(capture);
	}
	return taken;
}

struct vmsi_taken *vmsi_seen_take_frames(struct vmsi_frames *frames)
{
	struct vmsi_taken *taken = calloc(1, sizeof *taken);

	if (taken) {
		taken->frames = *frames;
		begin(taken);
	} else {
		vmsi_frames_drop(frames);
	}
	return taken;
}

void vmsi_seen_drop(struct vmsi_taken *taken)
{
	if (!taken)
		return;
	pthread_mutex_lock(&lock);
	let_go(taken);
	pthread_mutex_unlock(&lock);
}

/* Nobody may wait in vmsi_seen_text, so the time is looked at here as well. */
static void note_stuck(void)
{
	if (thread_runs && vmsi_now() - begun > NAME_MOST_S * UINT64_C(1000000000))
		is_stuck = true;
}

bool vmsi_seen_is_named(struct vmsi_taken *taken)
{
	bool is_named;

	pthread_mutex_lock(&lock);
	note_stuck();
	is_named = taken->is_named || is_stuck || !thread_runs;
	pthread_mutex_unlock(&lock);
	return is_named;
}

static const char *why_no_text(const struct vmsi_taken *taken)
{
	if (taken->is_named && taken->why)
		return taken->why;
	return is_stuck && !taken->is_named ?
		"the stack cannot be named in time" : "no memory";
}

const char *vmsi_seen_text(struct vmsi_taken *taken, const char **why)
{
	const struct timespec until = end_of_wait();
	const char *text;

	pthread_mutex_lock(&lock);
	while (!taken->is_named && !is_stuck && thread_runs)
		if (!await(&until))
			is_stuck = !taken->is_named;
	text = taken->is_named && taken->stack ? taken->stack->text : NULL;
	if (!text)
		*why = why_no_text(taken);
	pthread_mutex_unlock(&lock);
	return text;
}

void vmsi_seen_forget(void)
{
	const struct timespec until = end_of_wait();
	struct vmsi_taken *taken;
	struct seen *stack;

	pthread_once(&once, init_condition);
	pthread_mutex_lock(&lock);
	closes = true;
	while (await(&until) && !is_stuck)
		;
	if (!thread_runs) {
		vmsi_backtrace_forget();
		vmsi_names_close();
		closes = false;
		while ((taken = next_job())) {
			waiting--;
			waiting_bytes -= copied_of(taken);
			let_go(taken);
		}
	}
	while ((stack = oldest()))
		release(stack);
	pthread_mutex_unlock(&lock);
}
