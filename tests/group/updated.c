/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <string.h>

/*
 * Before a large request is charged, the group looks at the process that asks.
 * The request is charged what it is for by the figures of that look.
 */

/* Return what the group counts when the steps have been taken. */
static size_t committed_after(const char *steps)
{
	struct vms_group_options options = default_options();
	struct asked asked;
	size_t committed;

	options.commit_limit = 512 * MIB;
	asked = start(&options, steps);
	serve_until_said(&asked, "stay now");
	assert_null(strstr(asked.said, "ENOMEM"));
	committed = stats_of(asked.group).committed;
	print_message("# %zu KiB\n", committed >> 10);
	finish(&asked);
	return committed;
}

/* The child asks for nothing, so the group has not seen it yet. */
static void a_fork_copies_the_stack_that_the_look_finds(void **state)
{
	(void)state;
	assert_true(committed_after("mmap=100 stack=6 fork-idle stay") >=
		    2 * 106 * MIB);
}

static void a_brk_counts_from_the_end_that_the_look_finds(void **state)
{
	(void)state;
	assert_true(committed_after("brk=40 brk-back=35 brk=95 stay") >=
		    100 * MIB);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fork_copies_the_stack_that_the_look_finds),
		cmocka_unit_test(a_brk_counts_from_the_end_that_the_look_finds),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
