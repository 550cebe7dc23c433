/* SPDX-License-Identifier: MIT */
#include "ring_schedule.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK_BYTES 65536
#define DEPTH_MOST 4096
#define TABLE_BITS 23

enum state { READY, ENDED, DEAD };

static struct thread {
	jmp_buf entry, here;
	char stack[STACK_BYTES];
	enum state state;
	bool has_begun;
	const void *sleeps_on;  /* NULL: it is awake */
	bool was_woken;
	uint64_t history;
} threads[SCHEDULE_THREADS];

/* A choice is a thread to run, or one to die. */
struct choice {
	unsigned char thread;
	bool dies;
};

static struct {
	unsigned char chosen, count;
	struct choice choice;
} path[DEPTH_MOST];

static const struct schedule *plan;
static struct schedule_figures *count;
static uint64_t *table;        /* hashes of the states that were seen; 0: none */
static unsigned depth, known_depth, deaths, times;
static int current = -1;       /* the thread that has the turn; -1: none */
static const char *problem;
static jmp_buf outside;
static ucontext_t outside_context;

enum outcome { BEGAN, ALL_ENDED, SEEN_BEFORE, FAILED };

/* --- states ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_state(void)
{
	const uint64_t *words = plan->memory;
	uint64_t hash = mix(mix(1, deaths), times);

	for (size_t i = 0; i < plan->memory_bytes / sizeof(*words); i++)
		hash = mix(hash, words[i]);
	for (unsigned i = 0; i < plan->count; i++)
		hash = mix(mix(mix(hash, threads[i].history),
			       2 * threads[i].state + threads[i].has_begun),
			   2 * (uintptr_t)threads[i].sleeps_on +
			   threads[i].was_woken);
	return hash ? hash : 1;
}

/* Note a state; false: it was noted before. */
static bool is_new_state(void)
{
	const uint64_t hash = hash_state();
	const uint64_t mask = ((uint64_t)1 << TABLE_BITS) - 1;
	uint64_t i = hash & mask;

	for (; table[i]; i = (i + 1) & mask)
		if (table[i] == hash)
			return false;
	table[i] = hash;
	if (++count->states > mask / 4 * 3) {
		(void)fprintf(stderr, "too many states\n");
		exit(1);
	}
	return true;
}

/* --- choices ------------------------------------------------------------------------------ */

static bool is_ready(unsigned i)
{
	const struct schedule_thread *thread = &plan->threads[i];

	return threads[i].state == READY && !threads[i].sleeps_on &&
		(!thread->waits || threads[thread->waits_for].state == DEAD);
}

/* The thread that has the turn comes first. */
static unsigned list_choices(struct choice *choices)
{
	unsigned found = 0;

	for (unsigned k = 0; k < plan->count; k++) {
		unsigned i = current < 0 ? k : (k + (unsigned)current) % plan->count;

		if (is_ready(i))
			choices[found++] = (struct choice){ (unsigned char)i, false };
	}
	for (unsigned i = 0; i < plan->count && deaths < plan->deaths; i++)
		if (is_ready(i) && plan->threads[i].may_die && threads[i].has_begun)
			choices[found++] = (struct choice){ (unsigned char)i, true };
	return found;
}

/* Whether somebody sleeps, who is told that time has passed. */
static bool pass_time(void)
{
	bool sleeps = false;

	for (unsigned i = 0; i < plan->count; i++) {
		if (threads[i].state != READY || !threads[i].sleeps_on)
			continue;
		sleeps = true;
		threads[i].sleeps_on = NULL;
	}
	if (sleeps && !plan->time_passes) {
		problem = "somebody sleeps for ever";
		longjmp(outside, FAILED);
	}
	times += sleeps;
	return sleeps;
}

static struct choice choose(void)
{
	struct choice choices[2 * SCHEDULE_THREADS];
	unsigned found = list_choices(choices);

	if (found == 0 && pass_time())
		found = list_choices(choices);
	if (found == 0)
		longjmp(outside, ALL_ENDED);
	if (depth == DEPTH_MOST) {
		problem = "a run has no end";
		longjmp(outside, FAILED);
	}
	if (depth >= known_depth) {
		if (!is_new_state())
			longjmp(outside, SEEN_BEFORE);
		path[depth].chosen = 0;
		known_depth = depth + 1;
	}
	path[depth].count = (unsigned char)found;
	path[depth].choice = choices[path[depth].chosen];
	if (depth + 1 > count->depth)
		count->depth = depth + 1;
	return path[depth++].choice;
}

/* Take the next choice of the deepest place that has one. false: all were taken. */
static bool next_path(void)
{
	while (known_depth > 0) {
		known_depth--;
		if (++path[known_depth].chosen < path[known_depth].count) {
			known_depth++;
			return true;
		}
	}
	return false;
}

/* --- turns ---------------------------------------------------------------------------------- */

static _Noreturn void go_on(unsigned i)
{
	current = (int)i;
	if (threads[i].has_begun)
		longjmp(threads[i].here, 1);
	threads[i].has_begun = true;
	longjmp(threads[i].entry, 1);
}

/* Choose until a thread is to run. */
static int choose_thread(void)
{
	struct choice choice = choose();

	for (; choice.dies; choice = choose()) {
		threads[choice.thread].state = DEAD;
		deaths++;
	}
	return choice.thread;
}

/* Where another thread is to run, come back when it is the turn of self again. */
static void take_turns(int self)
{
	const int next = choose_thread();

	if (next == self)
		return;
	if (self >= 0 && threads[self].state == READY &&
	    setjmp(threads[self].here) != 0)
		return;
	go_on((unsigned)next);
}

void schedule_step(const void *word, size_t size)
{
	uint64_t value = 0;

	if (current < 0)
		return;
	take_turns(current);
	memcpy(&value, word, size);
	schedule_note((uint64_t)((const char *)word - (const char *)plan->memory));
	schedule_note(value);
}

void schedule_note(uint64_t value)
{
	if (current >= 0)
		threads[current].history = mix(threads[current].history, value);
}

/* A word that is slept on is compared before, in the same turn. */
bool schedule_sleep(const void *word)
{
	struct thread *self = &threads[current];

	self->sleeps_on = word;
	self->was_woken = false;
	take_turns(current);
	schedule_note(self->was_woken);
	return self->was_woken;
}

unsigned schedule_time(void)
{
	return times;
}

void schedule_wake(const void *word)
{
	for (unsigned i = 0; i < plan->count; i++) {
		if (threads[i].sleeps_on != word)
			continue;
		threads[i].sleeps_on = NULL;
		threads[i].was_woken = true;
	}
}

bool schedule_is_dead(unsigned thread)
{
	return threads[thread].state == DEAD;
}

void schedule_note_bytes(const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < size; i++)
		schedule_note(byte[i]);
}

void schedule_forget_but(const void *bytes, size_t size)
{
	if (current < 0)
		return;
	threads[current].history = (uint64_t)current + 1;
	schedule_note_bytes(bytes, size);
}

void schedule_fail(const char *what)
{
	problem = what;
	longjmp(outside, FAILED);
}

/* --- runs ------------------------------------------------------------------------------------ */

/* The bottom of a thread's stack, to which each run comes back. */
static void bottom(int i)
{
	if (setjmp(threads[i].entry) == 0) {
		(void)swapcontext(&(ucontext_t){ 0 }, &outside_context);
		abort();
	}
	plan->threads[current].body(plan->threads[current].argument);
	threads[current].state = ENDED;
	take_turns(current);
	abort();
}

static void make_stacks(void)
{
	static ucontext_t context;

	for (int i = 0; i < SCHEDULE_THREADS; i++) {
		(void)getcontext(&context);
		context.uc_stack.ss_sp = threads[i].stack;
		context.uc_stack.ss_size = STACK_BYTES;
		makecontext(&context, (void (*)(void))bottom, 1, i);
		(void)swapcontext(&outside_context, &context);
	}
}

static void begin_run(void)
{
	for (unsigned i = 0; i < SCHEDULE_THREADS; i++) {
		threads[i].state = READY;
		threads[i].has_begun = false;
		threads[i].sleeps_on = NULL;
		threads[i].was_woken = false;
		threads[i].history = i + 1;
	}
	depth = deaths = times = 0;
	current = -1;
	problem = NULL;
	memset(plan->memory, 0, plan->memory_bytes);
	plan->reset();
}

static enum outcome run(void)
{
	const int outcome = setjmp(outside);

	if (outcome == BEGAN)
		take_turns(-1);
	current = -1;
	return (enum outcome)outcome;
}

static void print_path(void)
{
	printf("# %s, after:", problem ? problem : "the check has failed");
	for (unsigned i = 0; i < depth; i++)
		printf(" %s%u", path[i].choice.dies ? "dies:" : "",
		       path[i].choice.thread);
	printf("\n");
}

bool schedule_explore(const struct schedule *schedule, struct schedule_figures *figures)
{
	static bool has_stacks;
	bool is_good = true;

	if (!has_stacks)
		make_stacks();
	has_stacks = true;
	table = calloc((size_t)1 << TABLE_BITS, sizeof(*table));
	if (!table)
		abort();
	plan = schedule;
	count = figures;
	*figures = (struct schedule_figures){ 0 };
	known_depth = 0;
	do {
		enum outcome outcome;

		begin_run();
		outcome = run();
		figures->runs += outcome == ALL_ENDED;
		is_good = outcome != FAILED &&
			(outcome != ALL_ENDED || plan->check());
	} while (is_good && next_path());
	if (!is_good)
		print_path();
	free(table);
	return is_good;
}
