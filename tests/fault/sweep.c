/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "run.h"

/*
 * Every host call of every operation is failed in turn: once, from then on, and
 * with its target destroyed. For each the answer and the state are compared
 * with what was before and with a run in which nothing failed.
 */

/* No operation makes as many host calls. */
#define CALLS_MAX 2000

static void sweep(const struct scenario *scenario, enum fault_mode mode,
		  enum fault_errno which)
{
	struct run run = {
		.scenario = scenario,
		.plan = { .mode = mode, .which = which },
	};

	do {
		fault_next(&run.plan);
		assert_true(run.plan.n < CALLS_MAX);
		run_try(&run);
	} while (run.result.calls >= run.plan.n);
}

static void every_host_call_is_failed(void **state)
{
	const struct scenario *scenario = *state;

	run_learn(scenario);
	for (enum fault_errno which = 0; which < FAULT_ERRNOS_SWEPT; which++)
		for (enum fault_mode mode = FAULT_ONCE;
		     mode <= FAULT_DESTROYING; mode++)
			sweep(scenario, mode, which);
}

static int sweep_family(const struct family *family, const char *wanted)
{
	struct CMUnitTest tests[64];
	size_t chosen = 0;

	for (size_t i = 0; i < family->count; i++)
		if (!wanted || strstr(family->scenarios[i].name, wanted))
			tests[chosen++] = (struct CMUnitTest){
				.name = family->scenarios[i].name,
				.test_func = every_host_call_is_failed,
				.initial_state = (void *)&family->scenarios[i],
			};
	return _cmocka_run_group_tests(family->name, tests, chosen, NULL, NULL);
}

/* sweep FAMILY [PART-OF-A-NAME] */
int main(int argc, char **argv)
{
	struct family families[FAMILIES];

	if (argc < 2)
		return 2;
	run_prepare();
	run_families(families);
	for (size_t i = 0; i < FAMILIES; i++)
		if (strcmp(argv[1], families[i].name) == 0)
			return sweep_family(&families[i],
					    argc > 2 ? argv[2] : NULL);
	return 2;
}
