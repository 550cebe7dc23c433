/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sums that are told when they are reached, and limits that change. */

#define MOST_TOLD 16

static struct vms_group_mark told[MOST_TOLD];
static int told_count;

static void note(void *context, vms_group *group,
		 const struct vms_group_mark *mark)
{
	assert_ptr_equal(context, &told_count);
	assert_non_null(group);
	assert_true(told_count < MOST_TOLD);
	told[told_count++] = *mark;
}

static struct vms_group_options marked(size_t first, size_t second)
{
	struct vms_group_options options = default_options();

	options.marks[0] = first;
	options.marks[1] = second;
	options.on_mark = note;
	options.mark_context = &told_count;
	told_count = 0;
	return options;
}

/* To the end; returns how often a mark was told. */
static int count_told(size_t first, size_t second, const char *steps,
		      const char *said)
{
	const struct vms_group_options options = marked(first, second);

	expect_said(&options, steps, said);
	return told_count;
}

static void a_mark_is_told_once_with_who_reached_it(void **state)
{
	const struct vms_group_options options = marked(40 * MIB, 58 * MIB);
	struct asked asked = start(&options, "mmap=30 mmap=15 mmap=5 mmap=10 stay");

	(void)state;
	serve_until_said(&asked, "stay now");
	assert_int_equal(told_count, 2);
	assert_int_equal(told[0].index, 0);
	assert_int_equal(told[0].at, 40 * MIB);
	assert_in_range(told[0].committed, 45 * MIB, 47 * MIB);
	assert_int_equal(told[0].limit, LIMIT);
	assert_int_equal(told[0].process, vms_group_first(asked.group));
	assert_string_equal(told[0].command, "group-asker");
	assert_int_equal(told[1].index, 1);
	assert_in_range(told[1].committed, 60 * MIB, 62 * MIB);
	assert_true(told[1].time > told[0].time);
	/* What was looked at for a mark is a peak. */
	assert_true(stats_of(asked.group).committed_peak >= told[1].committed);
	finish(&asked);
}

static void what_goes_down_at_once_is_told_each_time(void **state)
{
	(void)state;
	assert_int_equal(count_told(40 * MIB, 0, "mmap=45 unmap mmap=45 unmap "
				    "mmap=45 unmap", "mmap ok\nunmap ok\n"
				    "mmap ok\nunmap ok\nmmap ok\nunmap ok\n"),
			 3);
}

static void what_goes_up_and_down_at_the_mark_is_told_once(void **state)
{
	(void)state;
	assert_int_equal(count_told(40 * MIB, 0, "mmap=39 mmap=2 unmap mmap=2 "
				    "unmap mmap=2 unmap mmap=2", "mmap ok\n"
				    "mmap ok\nunmap ok\nmmap ok\nunmap ok\n"
				    "mmap ok\nunmap ok\nmmap ok\n"), 1);
}

/* Together these are above the mark, and never at one time. */
static void what_was_given_back_does_not_count(void **state)
{
	(void)state;
	assert_int_equal(count_told(40 * MIB, 0, "mmap=25 unmap mmap=25 unmap "
				    "mmap=25 unmap", "mmap ok\nunmap ok\n"
				    "mmap ok\nunmap ok\nmmap ok\nunmap ok\n"),
			 0);
}

static void what_is_refused_reaches_no_mark(void **state)
{
	(void)state;
	assert_int_equal(count_told(40 * MIB, 0, "mmap=20 mmap=60",
				    "mmap ok\nmmap ENOMEM\n"), 0);
}

static void memory_without_a_request_reaches_a_mark(void **state)
{
	const struct vms_group_options options = marked(6 * MIB, 0);
	struct asked asked = start(&options, "stack=6 stay");

	(void)state;
	asked.peak_most = SIZE_MAX;
	while (told_count == 0)
		assert_int_not_equal(vms_group_serve(asked.group, 100), -1);
	assert_int_equal(told[0].process, 0);
	assert_string_equal(told[0].command, "");
	finish(&asked);
}

/* The limit is far, so only a look for the mark's sake sees the memory go. */
static void a_mark_is_told_anew_after_an_idle_fall(void **state)
{
	const struct vms_group_options options = marked(10 * MIB, 0);
	char go_on[] = "/tmp/vmspace-marks-XXXXXX";
	const int file = mkstemp(go_on);
	struct asked asked;

	(void)state;
	assert_true(file >= 0);
	close(file);
	unlink(go_on);
	setenv("ASKER_GO_ON", go_on, 1);
	asked = start(&options, "mmap=12 unmap wait mmap=12 stay");
	serve_until_said(&asked, "wait now");
	while (stats_of(asked.group).committed > 10 * MIB)
		assert_int_not_equal(vms_group_serve(asked.group, 100), -1);
	assert_int_equal(told_count, 1);
	close(open(go_on, O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
	serve_until_said(&asked, "stay now");
	unlink(go_on);
	assert_int_equal(told_count, 2);
	finish(&asked);
}

/* --- what changes --------------------------------------------------------- */

static void another_limit_holds_at_once(void **state)
{
	const struct vms_group_options options = default_options();
	char go_on[] = "/tmp/vmspace-marks-XXXXXX";
	const int file = mkstemp(go_on);
	struct asked asked;

	(void)state;
	assert_true(file >= 0);
	close(file);
	unlink(go_on);
	setenv("ASKER_GO_ON", go_on, 1);
	asked = start(&options, "mmap=30 wait mmap=10 unmap mmap=5 stay");
	serve_until_said(&asked, "wait now");
	assert_int_equal(vms_group_set_limit(asked.group, 20 * MIB), 0);
	assert_int_equal(stats_of(asked.group).limit, 20 * MIB);
	assert_int_equal(stats_of(asked.group).highest_limit, LIMIT);
	assert_in_range(stats_of(asked.group).committed, 30 * MIB, 33 * MIB);
	close(open(go_on, O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
	serve_until_said(&asked, "stay now");
	unlink(go_on);
	assert_non_null(strstr(asked.said, "mmap ENOMEM\nunmap ok\nmmap ok\n"));
	finish(&asked);
}

static void a_higher_limit_grants_more(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "mmap=60 mmap=60 stay");

	(void)state;
	assert_int_equal(vms_group_set_limit(asked.group, 128 * MIB), 0);
	asked.peak_most = 128 * MIB;
	serve_until_said(&asked, "stay now");
	assert_null(strstr(asked.said, "ENOMEM"));
	assert_int_equal(stats_of(asked.group).highest_limit, 128 * MIB);
	finish(&asked);
}

static void other_marks_are_told(void **state)
{
	const struct vms_group_options options = marked(60 * MIB, 0);
	const size_t lower[VMS_GROUP_MARKS] = { 0, 20 * MIB };
	struct asked asked = start(&options, "mmap=30 stay");

	(void)state;
	serve_until_said(&asked, "stay now");
	assert_int_equal(told_count, 0);
	assert_int_equal(vms_group_set_marks(asked.group, lower), 0);
	while (told_count == 0)
		assert_int_not_equal(vms_group_serve(asked.group, 100), -1);
	assert_int_equal(told[0].index, 1);
	finish(&asked);
}

static void wrong_arguments_are_einval(void **state)
{
	const size_t marks[VMS_GROUP_MARKS] = { 0, 0 };
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "stay");

	(void)state;
	assert_int_equal(vms_group_set_limit(NULL, MIB), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_set_limit(asked.group, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_set_marks(NULL, marks), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_set_marks(asked.group, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_watch(NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_signal(NULL, 1, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_signal(asked.group, 0, 0), -1);
	assert_int_equal(errno, EINVAL);
	finish(&asked);
}

/* --- signals and descriptors ------------------------------------------------ */

static void only_the_group_is_signalled(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "stay");
	const pid_t first = vms_group_first(asked.group);

	(void)state;
	serve_until_said(&asked, "stay now");
	assert_int_equal(vms_group_signal(asked.group, getpid(), SIGTERM), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(vms_group_signal(asked.group, first, 1000), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_signal(asked.group, first, SIGTERM), 0);
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	assert_int_equal(WTERMSIG(vms_group_status(asked.group)), SIGTERM);
	assert_int_equal(vms_group_signal(asked.group, first, SIGTERM), -1);
	assert_int_equal(errno, ESRCH);
	finish(&asked);
}

static void a_descriptor_of_the_caller_ends_the_wait(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "stay");
	int ends[2];

	(void)state;
	serve_until_said(&asked, "stay now");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(vms_group_watch(asked.group, ends[0]), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(vms_group_serve(asked.group, -1), VMS_GROUP_WATCHED);
	assert_int_equal(vms_group_watch(asked.group, -1), 0);
	assert_int_equal(vms_group_serve(asked.group, 0), VMS_GROUP_NOTHING);
	assert_int_equal(vms_group_watch(asked.group, ends[0]), 0);
	/* A descriptor that is always ready hides no end. */
	assert_int_equal(vms_group_signal(asked.group,
					  vms_group_first(asked.group),
					  SIGKILL), 0);
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(vms_group_watch(asked.group, -1), 0);
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_told_once_with_who_reached_it),
		cmocka_unit_test(what_goes_down_at_once_is_told_each_time),
		cmocka_unit_test(what_goes_up_and_down_at_the_mark_is_told_once),
		cmocka_unit_test(what_was_given_back_does_not_count),
		cmocka_unit_test(what_is_refused_reaches_no_mark),
		cmocka_unit_test(memory_without_a_request_reaches_a_mark),
		cmocka_unit_test(a_mark_is_told_anew_after_an_idle_fall),
		cmocka_unit_test(another_limit_holds_at_once),
		cmocka_unit_test(a_higher_limit_grants_more),
		cmocka_unit_test(other_marks_are_told),
		cmocka_unit_test(wrong_arguments_are_einval),
		cmocka_unit_test(only_the_group_is_signalled),
		cmocka_unit_test(a_descriptor_of_the_caller_ends_the_wait),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_marks", tests, NULL, NULL);
}
