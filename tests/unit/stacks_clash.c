/* SPDX-License-Identifier: MIT */
#include "stacks_child.h"

/*
 * A program that is compiled with -fstack-clash-protection touches each page of a large
 * frame in turn, and so the smallest guard.
 */

static void step_over_small_guard(void)
{
	step_far(page(), SIZE + 2 * page());
	_exit(7);
}

static void a_frame_that_is_stepped_is_seen(void **state)
{
	struct end end;

	(void)state;
	if (!FRAMES_ARE_STEPPED) {
		print_message("skipped: the compiler has no such option\n");
		skip();
	}
	end = run(step_over_small_guard);
	assert_killed(&end);
	assert_non_null(strstr(end.error, "stack 1 \"above\" of pool \"steps\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_is_stepped_is_seen),
	};

	return cmocka_run_group_tests_name("stacks_clash", tests, NULL, NULL);
}
