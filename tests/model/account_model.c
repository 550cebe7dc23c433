/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../kernel/random.h"
#include "account_world.h"
#include "arguments.h"

/* Random schedules of a group against its account (account_world.h). */

#define OPERATIONS_USUAL 120000
#define OPERATIONS_PER_ROUND 200

static struct arguments given = { .operations = OPERATIONS_USUAL };
static struct random numbers;
static unsigned long step;

static size_t below(void *context, size_t limit)
{
	return random_below(context, limit);
}

static void wrong(const char *what)
{
	fail_msg("%s: %s (--operations %lu --seed %llu)", account_world_last(),
		 what, step + 1, (unsigned long long)given.seed);
}

static void schedules(void **state)
{
	const struct account_numbers source = { below, &numbers };
	const struct account_counts *counts = account_world_counts();

	(void)state;
	numbers.state = given.seed;
	while (step < given.operations) {
		account_world_begin(&source, wrong);
		for (int i = 0; i < OPERATIONS_PER_ROUND &&
		     step < given.operations; i++, step++)
			account_world_step();
		account_world_end();
	}
	print_message("# %lu granted, %lu refused, %lu withdrawn, %lu looks, "
		      "%lu born, %lu never seen, %lu executed, %lu ended, "
		      "%lu shared, %lu peaks\n", counts->granted,
		      counts->refused, counts->withdrawn, counts->looks,
		      counts->born, counts->never_seen, counts->executed,
		      counts->ended, counts->shared, counts->peaks);
}

/* A run without these events has not tested them. */
static void all_has_happened(void **state)
{
	const struct account_counts *counts = account_world_counts();

	(void)state;
	if (given.operations < OPERATIONS_USUAL)
		return;
	assert_true(counts->granted && counts->refused && counts->withdrawn);
	assert_true(counts->born && counts->never_seen && counts->shared);
	assert_true(counts->executed && counts->ended && counts->peaks);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules),
		cmocka_unit_test(all_has_happened),
	};

	read_arguments("account_model", argc, argv, &given);
	return cmocka_run_group_tests_name("account_model", tests, NULL, NULL);
}
