/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <stdbool.h>
#include <string.h>

/*
 * A thread that is not the first executes a program while another one asks. What the
 * group knows of the process is of the new program from its first request on: its name,
 * and where its heap is. Else a brk would be taken for one of all that lies between the
 * two heaps.
 */

#define EXECUTED "executed-"

static bool has_executed(vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	size_t cursor = 0;

	while (vms_group_next_process(group, &cursor, &process) == 1)
		if (strncmp(process.command, EXECUTED, strlen(EXECUTED)) == 0)
			return true;
	return false;
}

static void expect_seen(const char *steps)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, steps);

	serve_until(&asked, VMS_GROUP_EMPTY);
	if (strstr(asked.said, "no lease:")) {
		print_message("# %s", asked.said);
		finish(&asked);
		skip();
	}
	assert_int_equal(vms_group_status(asked.group), 0);
	assert_string_equal(asked.said, "lease ok\nheap ok\n");
	assert_true(has_executed(asked.group));
	assert_int_equal(stats_of(asked.group).refusals, 0);
	finish(&asked);
}

static void an_execve_beside_one_that_fails_is_seen(void **state)
{
	(void)state;
	expect_seen("lease failing");
}

static void an_execve_without_the_first_thread_is_seen(void **state)
{
	(void)state;
	expect_seen("lease without-first");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_execve_beside_one_that_fails_is_seen),
		cmocka_unit_test(an_execve_without_the_first_thread_is_seen),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_beside_exec", tests, NULL, NULL);
}
