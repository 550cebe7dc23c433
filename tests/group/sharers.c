/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

/*
 * Processes that have one memory and are no threads of each other: what any of
 * them is granted counts, once, as long as one of them lives. Pieces of 10 MiB
 * are asked for, of which six fit.
 */

static void what_a_sharer_maps_counts(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "sharer-maps=100 granted maps=100 granted",
		    "sharer-maps ok\ngranted 60\ngranted ok\n"
		    "maps ok\ngranted 60\ngranted ok\n");
	expect_said(&options, "maps=2 sharer-maps=2 maps=100 granted",
		    "maps ok\nsharer-maps ok\nmaps ok\ngranted 60\n"
		    "granted ok\n");
}

static void sharers_may_be_brothers_or_nested(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "brother-maps=100 maps=100 granted",
		    "brother-maps ok\nmaps ok\ngranted 60\ngranted ok\n");
	expect_said(&options, "nested-sharer-maps=100 maps=100 granted",
		    "nested-sharer-maps ok\nmaps ok\ngranted 60\n"
		    "granted ok\n");
}

static void the_heap_of_sharers_is_one(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "sharer-breaks=100 breaks=100 granted",
		    "sharer-breaks ok\nbreaks ok\ngranted 60\ngranted ok\n");
	expect_said(&options, "breaks=2 sharer-breaks=2 maps=100 granted",
		    "breaks ok\nsharer-breaks ok\nmaps ok\ngranted 60\n"
		    "granted ok\n");
}

static void a_sharer_cannot_move_the_break_past_the_limit(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "sharer-break=100 sharer-break=4 sharer-break=4",
		    "sharer-break ENOMEM\nsharer-break ok\n"
		    "sharer-break ENOMEM\n");
}

static void what_a_sharer_mapped_outlives_it(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "sharer-maps=4 sharer-maps=4 sharer-maps=4 "
		    "maps=100 granted",
		    "sharer-maps ok\nsharer-maps ok\nsharer-maps ok\n"
		    "maps ok\ngranted 60\ngranted ok\n");
	expect_said(&options, "sharer-executes=4 sharer-executes=4 maps=100 "
		    "granted", "sharer-executes ok\nsharer-executes ok\n"
		    "maps ok\ngranted 60\ngranted ok\n");
}

/* Three pieces are of the memory that is left, and three of the program. */
static void who_executes_a_program_leaves_what_it_mapped(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "maps=3 execute=100",
		    "maps ok\nmaps ok\ngranted 30\ngranted ok\nleft 30\n"
		    "open ok\nmaps ok\ngranted 60\ngranted ok\n");
}

/* As above, with another process in the program's place. */
static void who_ends_leaves_what_it_mapped(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "leave=100", "other 30\nleft 30\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_sharer_maps_counts),
		cmocka_unit_test(sharers_may_be_brothers_or_nested),
		cmocka_unit_test(the_heap_of_sharers_is_one),
		cmocka_unit_test(
			a_sharer_cannot_move_the_break_past_the_limit),
		cmocka_unit_test(what_a_sharer_mapped_outlives_it),
		cmocka_unit_test(who_executes_a_program_leaves_what_it_mapped),
		cmocka_unit_test(who_ends_leaves_what_it_mapped),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_sharers", tests, NULL, NULL);
}
