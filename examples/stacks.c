/* SPDX-License-Identifier: MIT */
/*
 * vmspace/stacks.h: a scheduler with 10,000 coroutines.
 *
 * Each coroutine walks a tree by recursion and lets the others run at every step, so
 * that all of them are somewhere in the middle at the same time, each on a stack of
 * its own. A stack that is given back is warm for the next coroutine, and an overflow
 * would be told with the coroutine's name.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <vmspace/stacks.h>

#define COROUTINES 10000
#define DEPTH 6

struct coroutine {
	ucontext_t context;
	vms_stack stack;
	unsigned number;
	unsigned visited;
	bool ended;
};

static struct coroutine *coroutines, *running;
static ucontext_t scheduler;
static size_t switches;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* --- coroutines ----------------------------------------------------------------------- */

static void let_others_run(void)
{
	if (swapcontext(&running->context, &scheduler) != 0)
		fail("swapcontext");
}

/* A tree whose nodes have two children each, walked no deeper than the coroutine's. */
static void walk(unsigned depth)
{
	running->visited++;
	let_others_run();
	if (depth == 0)
		return;
	walk(depth - 1);
	walk(depth - 1);
}

static void run_coroutine(void)
{
	walk(running->number % DEPTH);
	running->ended = true;
}

static void start(vms_stacks *pool, struct coroutine *coroutine, unsigned number)
{
	char name[VMS_STACK_NAME_MAX + 1];

	(void)snprintf(name, sizeof(name), "walker %u", number);
	coroutine->number = number;
	if (vms_stacks_take(pool, name, &coroutine->stack) != 0)
		fail("vms_stacks_take");
	if (getcontext(&coroutine->context) != 0)
		fail("getcontext");
	coroutine->context.uc_stack.ss_sp = coroutine->stack.base;
	coroutine->context.uc_stack.ss_size = coroutine->stack.size;
	coroutine->context.uc_link = &scheduler;
	makecontext(&coroutine->context, run_coroutine, 0);
}

/* --- the scheduler -------------------------------------------------------------------- */

/* Let each coroutine that has not ended run once; returns how many go on. */
static unsigned run_all_once(vms_stacks *pool)
{
	unsigned left = 0;

	for (unsigned i = 0; i < COROUTINES; i++) {
		running = &coroutines[i];
		if (running->ended)
			continue;
		if (swapcontext(&scheduler, &running->context) != 0)
			fail("swapcontext");
		switches++;
		if (!running->ended)
			left++;
		else if (vms_stacks_give(pool, &running->stack) != 0)
			fail("vms_stacks_give");
	}
	return left;
}

static size_t nodes(unsigned depth)
{
	return ((size_t)2 << depth) - 1;
}

static void print_figures(vms_stacks *pool)
{
	struct vms_stacks_stats stats = { .struct_size = sizeof(stats) };

	if (vms_stacks_get_stats(pool, &stats) != 0)
		fail("vms_stacks_get_stats");
	printf("%zu stacks of %zu KiB, %zu KiB apart, %zu MiB of addresses; %zu "
	       "guards are mappings of their own\n",
	       stats.made, stats.stack_size >> 10, stats.pitch >> 10,
	       stats.reserved >> 20, stats.guard_mappings);
}

int main(void)
{
	const struct vms_stacks_options options = {
		.struct_size = sizeof(options), .name = "walkers",
	};
	vms_stacks *pool = vms_stacks_open(COROUTINES + 1, (size_t)64 << 10,
					   &options);
	size_t visited = 0, expected = 0;

	coroutines = calloc(COROUTINES, sizeof(*coroutines));
	if (!pool || !coroutines || vms_stacks_watch_thread(pool) != 0)
		fail("vms_stacks_open");
	for (unsigned i = 0; i < COROUTINES; i++)
		start(pool, &coroutines[i], i);
	print_figures(pool);
	while (run_all_once(pool) > 0)
		continue;
	for (unsigned i = 0; i < COROUTINES; i++) {
		visited += coroutines[i].visited;
		expected += nodes(i % DEPTH);
	}
	printf("%d coroutines have visited %zu nodes in %zu switches\n", COROUTINES,
	       visited, switches);
	if (vms_stacks_unwatch_thread(pool) != 0 || vms_stacks_close(pool) != 0)
		fail("vms_stacks_close");
	free(coroutines);
	return visited != expected;
}
