/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "ring_schedule.h"
#include "stacks/list.h"

/*
 * The list of free stacks (src/stacks/list.c, compiled with the steps of stacks_steps.h)
 * in all interleavings of two and three threads that take slots out and put them back in
 * another order, and of one that puts in new ones, several at once. No slot may have two owners,
 * and in the end the list must have each once.
 *
 * --must-find: the world must fail, since a fault is compiled in.
 */

#define SLOTS 5

/* What is shared, and so is a part of the state. */
static struct {
	struct vms_stacks pool;
	struct slot slots[SLOTS];
	uint64_t owners[SLOTS];  /* no step: the list alone decides who it is */
} world;

static size_t at_first;          /* so many are in the list when a run begins */

static void own(size_t number)
{
	if (world.owners[number]++)
		schedule_fail("a slot has two owners");
}

static void put(size_t number)
{
	world.owners[number] = 0;
	(void)vmsi_list_push(&world.pool, number, number);
}

/* --- threads ----------------------------------------------------------------------------- */

struct taken {
	size_t numbers[2], count;
};

static bool take(struct taken *taken)
{
	size_t *number = &taken->numbers[taken->count];

	if (!vmsi_list_pop(&world.pool, number))
		return false;
	own(*number);
	taken->count++;
	schedule_forget_but(taken, sizeof(*taken));
	return true;
}

/* The one that was taken first goes back first. */
static void put_all(struct taken *taken)
{
	for (size_t i = 0; i < taken->count; i++) {
		put(taken->numbers[i]);
		schedule_forget_but(&i, sizeof(i));
		schedule_note_bytes(taken, sizeof(*taken));
	}
}

/* In between the list begins as before, and goes on otherwise. */
static void take_two(void *unused)
{
	struct taken taken = { .count = 0 };

	(void)unused;
	(void)(take(&taken) && take(&taken));
	put_all(&taken);
}

static void take_one(void *unused)
{
	struct taken taken = { .count = 0 };

	(void)unused;
	(void)take(&taken);
	put_all(&taken);
}

static void take_and_keep(void *unused)
{
	struct taken taken = { .count = 0 };

	(void)unused;
	if (take(&taken) && take(&taken))
		put(taken.numbers[1]);
}

/* What is made is linked before anybody else sees it. */
static void add_new(void *unused)
{
	(void)unused;
	for (size_t i = at_first; i < SLOTS; i++) {
		world.owners[i] = 0;
		atomic_store(&world.slots[i].next, (uint32_t)i + 2);
	}
	(void)vmsi_list_push(&world.pool, at_first, SLOTS - 1);
}

/* --- runs -------------------------------------------------------------------------------- */

static void reset(void)
{
	memset(&world, 0, sizeof(world));
	world.pool.slots = world.slots;
	for (size_t i = 0; i < SLOTS; i++) {
		world.owners[i] = i >= at_first;
		world.slots[i].next = i + 1 < at_first ? (uint32_t)i + 2 : 0;
	}
	world.pool.free = at_first > 0;
}

/* Each slot is owned or in the list, once. */
static bool check(void)
{
	uint64_t at = atomic_load(&world.pool.free) & 0xffffff;

	for (; at; at = atomic_load(&world.slots[at - 1].next))
		if (at > SLOTS || world.owners[at - 1]++)
			return false;
	for (size_t i = 0; i < SLOTS; i++)
		if (world.owners[i] != 1)
			return false;
	return true;
}

static unsigned cases, failures;

static void explore(const char *name, const struct schedule_thread *threads,
		    unsigned count, bool must_find)
{
	struct schedule plan = {
		.count = count,
		.memory = &world,
		.memory_bytes = sizeof(world),
		.reset = reset,
		.check = check,
	};
	struct schedule_figures figures;
	bool is_good;

	memcpy(plan.threads, threads, count * sizeof(*threads));
	is_good = schedule_explore(&plan, &figures);
	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	printf("%sok %u - %s\n", is_good == must_find ? "not " : "", ++cases, name);
	failures += is_good == must_find;
}

int main(int argc, char **argv)
{
	const bool must_find = argc > 1 && strcmp(argv[1], "--must-find") == 0;
	const struct schedule_thread twos[] = {
		{ .body = take_two }, { .body = take_two },
	};
	const struct schedule_thread three[] = {
		{ .body = take_two }, { .body = take_one }, { .body = take_one },
	};
	const struct schedule_thread keeping[] = {
		{ .body = take_two }, { .body = take_and_keep },
	};
	const struct schedule_thread growing[] = {
		{ .body = add_new }, { .body = take_two }, { .body = take_one },
	};

	at_first = SLOTS;
	explore("two are taken, and go back in another order", twos, 2, must_find);
	if (!must_find) {
		explore("some are kept", keeping, 2, false);
		explore("three threads", three, 3, false);
		at_first = 2;
		explore("new ones come", growing, 3, false);
		at_first = 0;
		explore("new ones come into an empty list", growing, 3, false);
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
