/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What is refused, and granted when it is asked for again, did not fail. */

#define TOLD_MOST 8

static struct vms_group_refusal told[TOLD_MOST];
static size_t told_count;

static void take(void *context, vms_group *group,
		 const struct vms_group_refusal *refusal)
{
	(void)context;
	(void)group;
	assert_true(told_count < TOLD_MOST);
	told[told_count++] = *refusal;
}

static struct vms_group_options told_options(void)
{
	struct vms_group_options options = default_options();

	options.on_refusal = take;
	told_count = 0;
	return options;
}

/* Figures of a program that has ended, as it is told that it has. */
static struct vms_group_stats
run_with(const struct vms_group_options *options, const char *steps,
	 const char *said)
{
	struct asked asked = start(options, steps);
	struct vms_group_process process = { .struct_size = sizeof process };
	struct vms_group_stats stats;
	size_t cursor = 0;

	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	stats = stats_of(asked.group);
	assert_int_equal(stats.refusals, told_count);
	assert_int_equal(vms_group_next_process(asked.group, &cursor,
						&process), 1);
	assert_int_equal(process.refusals, told_count);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, said);
	finish(&asked);
	return stats;
}

static void expect_figures(const char *steps, const char *said,
			   size_t refusals, size_t granted_again)
{
	const struct vms_group_options options = told_options();
	const struct vms_group_stats stats = run_with(&options, steps, said);

	assert_int_equal(told_count, refusals);
	assert_int_equal(stats.granted_again, granted_again);
	assert_int_equal(stats.injected, 0);
}

static void what_is_granted_again_is_not_told(void **state)
{
	(void)state;
	expect_figures("mmap=40 mmap=30 unmap mmap=30",
		       "mmap ok\nmmap ENOMEM\nunmap ok\nmmap ok\n", 0, 1);
	expect_figures("mmap=40 shared=30 unmap shared=30",
		       "mmap ok\nshared ENOMEM\nunmap ok\nshared ok\n", 0, 1);
	expect_figures("mmap=40 fork unmap fork",
		       "mmap ok\nfork ENOMEM\nunmap ok\nfork ok\n", 0, 1);
	expect_figures("mmap=40 brk=30 unmap brk=30",
		       "mmap ok\nbrk ENOMEM\nunmap ok\nbrk ok\n", 0, 1);
}

/* As malloc does: brk for more, and then another mapping. */
static void what_is_tried_instead_goes_with_it(void **state)
{
	(void)state;
	expect_figures("mmap=40 brk=30 mmap=31 unmap brk=30",
		       "mmap ok\nbrk ENOMEM\nmmap ENOMEM\nunmap ok\nbrk ok\n",
		       0, 2);
	/* Not what is far smaller: that is another request. */
	expect_figures("mmap=50 brk=60 mmap=20 unmap brk=60",
		       "mmap ok\nbrk ENOMEM\nmmap ENOMEM\nunmap ok\nbrk ok\n",
		       1, 1);
	assert_int_equal(told[0].requested, 20 * MIB);
}

static void each_refusal_before_the_last_is_told(void **state)
{
	(void)state;
	expect_figures("mmap=40 mmap=30 mmap=30 unmap mmap=30",
		       "mmap ok\nmmap ENOMEM\nmmap ENOMEM\nunmap ok\nmmap ok\n",
		       1, 1);
}

static void another_size_is_another_request(void **state)
{
	(void)state;
	expect_figures("mmap=40 mmap=30 mmap=5",
		       "mmap ok\nmmap ENOMEM\nmmap ok\n", 1, 0);
	assert_int_equal(told[0].requested, 30 * MIB);
}

static void the_last_ones_are_told_with_the_end_in_order(void **state)
{
	(void)state;
	expect_figures("mmap=40 mmap=30 shared=31 brk=32",
		       "mmap ok\nmmap ENOMEM\nshared ENOMEM\nbrk ENOMEM\n", 3,
		       0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(told[i].requested, (30 + i) * MIB);
	assert_true(told[0].time < told[1].time &&
		    told[1].time < told[2].time);
}

static void who_never_asks_again_is_told_meanwhile(void **state)
{
	const struct vms_group_options options = told_options();
	struct asked asked = start(&options, "mmap=40 mmap=30 stay");

	(void)state;
	serve_until_said(&asked, "stay now");
	while (told_count == 0)
		assert_int_equal(vms_group_serve(asked.group, 1000),
				 VMS_GROUP_NOTHING);
	assert_int_equal(stats_of(asked.group).refusals, 1);
	assert_int_equal(told[0].requested, 30 * MIB);
	kill(vms_group_first(asked.group), SIGKILL);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_int_equal(told_count, 1);
	finish(&asked);
}

static void what_is_refused_on_demand_is_told(void **state)
{
	struct vms_group_options options = told_options();
	struct vms_group_stats stats;

	(void)state;
	options.faults.minimum = 2 * MIB;
	options.faults.nth = 1;
	stats = run_with(&options, "mmap=30 mmap=30",
			 "mmap ENOMEM\nmmap ok\n");
	assert_int_equal(stats.granted_again, 0);
	assert_int_equal(stats.injected, 1);
	assert_int_equal(told_count, 1);
}

static void older_callers_get_what_they_know(void **state)
{
	const struct vms_group_options options = told_options();
	struct asked asked = start(&options, "mmap=40 mmap=30 unmap mmap=30");
	struct vms_group_stats stats;
	const size_t known = offsetof(struct vms_group_stats, granted_again);

	(void)state;
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	memset(&stats, 0x5a, sizeof stats);
	stats.struct_size = known;
	assert_int_equal(vms_group_get_stats(asked.group, &stats), 0);
	assert_int_equal(stats.refusals, 0);
	assert_int_equal(stats.granted_again, 0x5a5a5a5a5a5a5a5a);
	serve_until(&asked, VMS_GROUP_EMPTY);
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_granted_again_is_not_told),
		cmocka_unit_test(what_is_tried_instead_goes_with_it),
		cmocka_unit_test(each_refusal_before_the_last_is_told),
		cmocka_unit_test(another_size_is_another_request),
		cmocka_unit_test(the_last_ones_are_told_with_the_end_in_order),
		cmocka_unit_test(who_never_asks_again_is_told_meanwhile),
		cmocka_unit_test(what_is_refused_on_demand_is_told),
		cmocka_unit_test(older_callers_get_what_they_know),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
