/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"

/*
 * Stacks of a pool.
 *
 *	bench-stacks [--rounds N] [--operations N] [--count N] [--size BYTES]
 *
 * - take and give: a stack taken and given back, warm, beside mmap, mprotect of a
 *   guard and munmap; by one thread and by two at once.
 * - held: COUNT stacks taken, with a page touched in each, in a process of its own:
 *   what is resident against what was touched, page tables, mappings of the host.
 * - colours: the same depth of many stacks touched in turn, as a scheduler does, with
 *   tops that are all equal modulo a page and with tops that are spread; and in how many
 *   sets of a cache whose ways are a page each they lie.
 */

#define MAX_ROUNDS 101
#define ROUND_MOST 64
#define LINES 4

static size_t page_size, stack_size;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static vms_stacks *open_pool(size_t count, size_t colours)
{
	const struct vms_stacks_options options = {
		.struct_size = sizeof(options), .colours = colours,
	};
	vms_stacks *pool = vms_stacks_open(count, stack_size, &options);

	if (!pool)
		fail("vms_stacks_open");
	return pool;
}

/* --- take and give ------------------------------------------------------------------ */

static vms_stacks *pool;

static void take_and_give(size_t operations)
{
	vms_stack stack;

	for (size_t i = 0; i < operations; i++) {
		if (vms_stacks_take(pool, NULL, &stack) != 0)
			fail("vms_stacks_take");
		bench_use((uintptr_t)stack.top);
		if (vms_stacks_give(pool, &stack) != 0)
			fail("vms_stacks_give");
	}
}

static void take_named_and_give(size_t operations)
{
	vms_stack stack;

	for (size_t i = 0; i < operations; i++) {
		if (vms_stacks_take(pool, "coroutine", &stack) != 0)
			fail("vms_stacks_take");
		bench_use((uintptr_t)stack.top);
		if (vms_stacks_give(pool, &stack) != 0)
			fail("vms_stacks_give");
	}
}

static void map_and_unmap(size_t operations)
{
	for (size_t i = 0; i < operations; i++) {
		char *stack = mmap(NULL, page_size + stack_size,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

		if (stack == MAP_FAILED ||
		    mprotect(stack, page_size, PROT_NONE) != 0)
			fail("mmap");
		bench_use((uintptr_t)stack);
		if (munmap(stack, page_size + stack_size) != 0)
			fail("munmap");
	}
}

static void *take_and_give_beside(void *argument)
{
	take_and_give(*(const size_t *)argument);
	return NULL;
}

static void take_and_give_by_two(size_t operations)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, take_and_give_beside, &operations) != 0)
		fail("pthread_create");
	take_and_give(operations);
	pthread_join(thread, NULL);
}

static const struct way {
	const char *name;
	void (*run)(size_t operations);
	size_t share;          /* of the operations, one in so many */
} ways[] = {
	{ "mmap + mprotect + munmap", map_and_unmap, 100 },
	{ "take + give", take_and_give, 1 },
	{ "take with a name + give", take_named_and_give, 1 },
	{ "take + give, two threads at once, of each", take_and_give_by_two, 1 },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void compare_takes(size_t rounds, size_t operations)
{
	double samples[WAYS][MAX_ROUNDS];
	uint64_t random = 1;

	pool = open_pool(ROUND_MOST, 0);
	take_and_give(1000);
	for (size_t round = 0; round < rounds; round++) {
		size_t order[WAYS];

		bench_order(order, WAYS, &random);
		for (size_t i = 0; i < WAYS; i++) {
			const struct way *way = &ways[order[i]];
			const size_t times = operations / way->share;
			const uint64_t start = bench_now();

			way->run(times);
			samples[order[i]][round] =
				(double)(bench_now() - start) / (double)times;
		}
	}
	for (size_t i = 0; i < WAYS; i++)
		bench_print_summary(ways[i].name, "ns",
				    bench_summarise(samples[i], rounds));
	if (vms_stacks_close(pool) != 0)
		fail("vms_stacks_close");
}

/* --- held ----------------------------------------------------------------------------- */

/* A figure of /proc/self/status, in KiB. */
static long status_figure(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long value = -1;

	if (!file)
		fail("/proc/self/status");
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name) + 1, NULL, 10);
	(void)fclose(file);
	return value;
}

static size_t mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	size_t lines = 0;
	int c;

	if (!file)
		fail("/proc/self/maps");
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	(void)fclose(file);
	return lines;
}

static void hold(size_t count)
{
	vms_stack *stacks = calloc(count, sizeof(*stacks));
	const size_t maps = mappings();
	long resident, tables;
	uint64_t start;
	double taken, touched;

	if (!stacks)
		fail("calloc");
	/* The program's own array is no cost of the pool. */
	for (size_t i = 0; i < count; i++)
		stacks[i].number = i;
	resident = status_figure("VmRSS");
	tables = status_figure("VmPTE");
	pool = open_pool(count, 0);
	start = bench_now();
	for (size_t i = 0; i < count; i++)
		if (vms_stacks_take(pool, NULL, &stacks[i]) != 0)
			fail("vms_stacks_take");
	taken = (double)(bench_now() - start) / (double)count;
	start = bench_now();
	for (size_t i = 0; i < count; i++)
		((volatile char *)stacks[i].top)[-1] = 1;
	touched = (double)(bench_now() - start) / (double)count;
	resident = status_figure("VmRSS") - resident;
	tables = status_figure("VmPTE") - tables;
	printf("held: %zu stacks of %zu KiB, a page touched in each: %.3f times what "
	       "was touched is resident; page tables %.3f times; %zu mappings; "
	       "%.0f ns to take a new one, %.0f ns to touch it\n",
	       count, stack_size >> 10,
	       (double)resident * 1024 / (double)(count * page_size),
	       (double)tables * 1024 / (double)(count * page_size),
	       mappings() - maps, taken, touched);
}

static void hold_in_child(size_t count)
{
	pid_t child;
	int status;

	(void)fflush(stdout);
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		hold(count);
		(void)fflush(stdout);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		fail("held");
}

/* --- colours -------------------------------------------------------------------------- */

/* Of the few all that is touched fits into the first cache, of the others not. */
#define COROUTINES_FEW 32
#define COROUTINES_MOST 1000
#define SWITCHES 200000

static double touch_in_turn(const vms_stack *stacks, size_t count)
{
	uint64_t start = bench_now();

	for (size_t i = 0; i < SWITCHES; i++) {
		volatile char *top = stacks[i % count].top;

		for (size_t line = 1; line <= LINES; line++)
			top[-64 * (long)line]++;
	}
	return (double)(bench_now() - start) / SWITCHES;
}

/* Of the sets of a cache whose ways are a page each, how many these lines are in. */
static size_t sets_of(const vms_stack *stacks, size_t count)
{
	bool used[1024] = { false };
	size_t sets = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t line = 1; line <= LINES; line++) {
			const uintptr_t at = (uintptr_t)stacks[i].top - 64 * line;
			bool *set = &used[at % page_size / 64 % 1024];

			sets += !*set;
			*set = true;
		}
	return sets;
}

static void compare_colours(size_t rounds, size_t count)
{
	const size_t colours[] = { VMS_STACKS_NO_COLOURS, 512, 1024, 2048,
				   4096 };
	enum { KINDS = sizeof(colours) / sizeof(colours[0]) };
	static vms_stack stacks[KINDS][COROUTINES_MOST];
	static double samples[KINDS][MAX_ROUNDS];
	char label[80];

	for (size_t kind = 0; kind < KINDS; kind++) {
		pool = open_pool(count, colours[kind]);
		for (size_t i = 0; i < count; i++)
			if (vms_stacks_take(pool, NULL, &stacks[kind][i]) != 0)
				fail("vms_stacks_take");
	}
	for (size_t round = 0; round < rounds; round++)
		for (size_t kind = 0; kind < KINDS; kind++)
			samples[kind][round] = touch_in_turn(stacks[kind], count);
	for (size_t kind = 0; kind < KINDS; kind++) {
		(void)snprintf(label, sizeof(label),
			       "%d lines at the tops of %zu in turn, %zu colours: "
			       "%zu sets",
			       LINES, count,
			       kind == 0 ? (size_t)1 : colours[kind] / 64,
			       sets_of(stacks[kind], count));
		bench_print_summary(label, "ns",
				    bench_summarise(samples[kind], rounds));
	}
}

int main(int argc, char **argv)
{
	size_t rounds = bench_option(argc, argv, "rounds", 15);
	const size_t operations = bench_option(argc, argv, "operations", 1000000);
	const size_t count = bench_option(argc, argv, "count", 100000);

	if (rounds < 1 || rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	stack_size = bench_option(argc, argv, "size", (size_t)64 << 10);
	bench_print_header(argc, argv);
	hold_in_child(count);
	compare_takes(rounds, operations);
	compare_colours(rounds, COROUTINES_FEW);
	compare_colours(rounds, COROUTINES_MOST);
	return 0;
}
