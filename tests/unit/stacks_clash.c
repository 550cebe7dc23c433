/* SPDX-License-Identifier: MIT */
#include "stacks_child.h"

/*
 * A program that is compiled with -fstack-clash-protection touches a large frame in
 * steps, and so a guard that is no smaller than a step.
 */

#ifdef __aarch64__
#define STEP ((size_t)64 << 10)
#else
#define STEP ((size_t)4 << 10)
#endif

static void step_over_small_guard(void)
{
	const size_t guard = vmsi_align_up(STEP, page());

	step_far(guard, SIZE + 2 * guard);
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
