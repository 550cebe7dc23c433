/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <string.h>

/* What a group tells of itself: statistics, its processes and its refusals. */

static void statistics_say_what_was_done(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "mmap=20 mmap=60 shared=10 stay");
	struct vms_group_stats stats;

	(void)state;
	serve_until_said(&asked, "stay now");
	/* A peak that lasts is seen when nothing else asks. */
	for (int i = 0; i < 5; i++)
		(void)vms_group_serve(asked.group, 100);
	stats = stats_of(asked.group);
	assert_int_equal(stats.limit, LIMIT);
	assert_in_range(stats.committed, 30 * MIB, 33 * MIB);
	assert_in_range(stats.committed_peak, 30 * MIB, 33 * MIB);
	assert_int_equal(stats.shared, 10 * MIB);
	assert_int_equal(stats.refusals, 1);
	assert_int_equal(stats.injected, 0);
	assert_true(stats.requests >= 3);
	assert_true(stats.calls >= stats.requests);
	assert_true(stats.looks > 0);
	assert_int_equal(stats.processes, 1);
	finish(&asked);
}

/*
 * What a process may write to is told by one figure, so mappings are read for the first
 * refusals and now and then.
 */
static void refusals_at_the_limit_take_few_looks(void **state)
{
	const struct vms_group_options options = default_options();
	char steps[256] = "mmap=60";
	struct asked asked;
	struct vms_group_stats stats;

	(void)state;
	for (int i = 0; i < 12; i++)
		strcat(steps, " mmap=20");
	/* What was given back without a call is there at once. */
	strcat(steps, " unmap mmap=21 stay");
	asked = start(&options, steps);
	serve_until_said(&asked, "stay now");
	stats = stats_of(asked.group);
	assert_int_equal(stats.refusals, 12);
	assert_in_range(stats.looks, 1, 11);
	assert_in_range(stats.committed, 21 * MIB, 24 * MIB);
	finish(&asked);
}

static void processes_are_listed_the_living_first(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "mmap=10 fork fork-map=1 stay");
	struct vms_group_process process = { .struct_size = sizeof process };
	size_t cursor = 0, ended = 0;

	(void)state;
	serve_until_said(&asked, "stay now");
	/* The ends of the children are events of their own. */
	for (int i = 0; i < 10; i++)
		(void)vms_group_serve(asked.group, 10);
	assert_int_equal(vms_group_next_process(asked.group, &cursor,
						&process), 1);
	assert_int_equal(process.pid, vms_group_first(asked.group));
	assert_string_equal(process.command, "group-asker");
	assert_false(process.ended);
	assert_in_range(process.committed, 10 * MIB, 12 * MIB);
	assert_true(process.committed_peak >= process.committed);
	while (vms_group_next_process(asked.group, &cursor, &process) == 1) {
		assert_true(process.ended);
		assert_int_equal(process.committed, 0);
		ended++;
	}
	assert_true(ended >= 1);
	finish(&asked);
}

static struct vms_group_refusal seen;
static int seen_count;

static void note(void *context, vms_group *group,
		 const struct vms_group_refusal *refusal)
{
	*(void **)context = group;
	seen = *refusal;
	seen_count++;
}

static void refusals_are_told(void **state)
{
	struct vms_group_options options = default_options();
	void *told_group = NULL;
	struct asked asked;

	(void)state;
	options.on_refusal = note;
	options.context = &told_group;
	seen_count = 0;
	asked = start(&options, "mmap=20 mmap=60 mmap=5");
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_int_equal(seen_count, 1);
	assert_ptr_equal(told_group, asked.group);
	assert_int_equal(seen.struct_size, sizeof seen);
	assert_int_equal(seen.process, vms_group_first(asked.group));
	assert_int_equal(seen.thread, seen.process);
	assert_string_equal(seen.command, "group-asker");
	assert_int_equal(seen.call, VMS_GROUP_MMAP);
	assert_int_equal(seen.requested, 60 * MIB);
	assert_in_range(seen.committed, 20 * MIB, 22 * MIB);
	assert_int_equal(seen.limit, LIMIT);
	assert_false(seen.injected);
	finish(&asked);
}

static void requests_are_refused_on_demand(void **state)
{
	struct vms_group_options options = default_options();
	void *told_group;

	(void)state;
	options.on_refusal = note;
	options.context = &told_group;
	options.faults.minimum = 2 * MIB;
	options.faults.nth = 2;
	seen_count = 0;
	expect_said(&options, "mmap=3 mmap=1 mmap=4 mmap=1 mmap=3",
		    "mmap ok\nmmap ok\nmmap ENOMEM\nmmap ok\nmmap ok\n");
	assert_int_equal(seen_count, 1);
	assert_true(seen.injected);
	assert_int_equal(seen.request, 2);
	options.faults.nth = 0;
	options.faults.from = 2;
	expect_said(&options, "mmap=3 mmap=4 none=1 mmap=1 shared=3 none=1",
		    "mmap ok\nmmap ENOMEM\nnone ok\nmmap ok\nshared ENOMEM\n"
		    "none ok\n");
	options.faults.from = 0;
	expect_said(&options, "mmap=1 mmap=2 none=1 brk=3",
		    "mmap ok\nmmap ENOMEM\nnone ok\nbrk ENOMEM\n");
	/* What brk gave back is not in its answer. */
	options.faults.from = 2;
	expect_said(&options, "brk=4 brk-back=4 brk-refused=9",
		    "brk ok\nbrk-back ok\nbrk-refused ok\n");
}

/* Each malloc of a program that is full asks brk, which answers where the heap ends. */
static void refused_brks_take_few_looks(void **state)
{
	const struct vms_group_options options = default_options();
	char steps[256] = "brk=40";
	struct asked asked;
	struct vms_group_stats stats;

	(void)state;
	/* It asks twice. */
	for (int i = 0; i < 6; i++)
		strcat(steps, " brk-refused=60");
	strcat(steps, " stay");
	asked = start(&options, steps);
	serve_until_said(&asked, "stay now");
	assert_null(strstr(asked.said, "wrong"));
	stats = stats_of(asked.group);
	assert_int_equal(stats.refusals, 12);
	assert_in_range(stats.looks, 1, 11);
	finish(&asked);
}

static uint64_t looks_before;

static void note_looks(void *context, vms_group *group)
{
	(void)context;
	looks_before = stats_of(group).looks;
}

/* The program may wait for the processor that the supervisor is on. */
static void the_look_after_a_refusal_is_put_off(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.on_full = note_looks;
	asked = start(&options, "mmap=100 stay");
	while (stats_of(asked.group).refusals == 0)
		assert_int_equal(vms_group_serve(asked.group, 0),
				 VMS_GROUP_NOTHING);
	assert_int_equal(stats_of(asked.group).looks, looks_before);
	/* It is made when nothing else is to be done. */
	while (stats_of(asked.group).looks == looks_before)
		assert_int_equal(vms_group_serve(asked.group, 5),
				 VMS_GROUP_NOTHING);
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statistics_say_what_was_done),
		cmocka_unit_test(refusals_at_the_limit_take_few_looks),
		cmocka_unit_test(refused_brks_take_few_looks),
		cmocka_unit_test(the_look_after_a_refusal_is_put_off),
		cmocka_unit_test(processes_are_listed_the_living_first),
		cmocka_unit_test(refusals_are_told),
		cmocka_unit_test(requests_are_refused_on_demand),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_figures", tests, NULL, NULL);
}
