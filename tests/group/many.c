/* SPDX-License-Identifier: MIT */
#include "settled.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Groups of very many processes, at once and one after the other. */

#define GIB ((size_t)1 << 30)
#define CROWD 200
/* More than a process may usually have descriptors, and than it has where it has few. */
#define USUAL_DESCRIPTORS 1024
#define LARGE_BOMB 1040
#define FEW_DESCRIPTORS 64
#define SMALL_BOMB 200
/* Their copies add up to twice the limit. */
/* What they hold would together be more than the limit. */
#define SHORT_LIVES 150

static struct vms_group_options limited_to(size_t bytes)
{
	struct vms_group_options options = default_options();

	options.commit_limit = bytes;
	return options;
}

/* All has ended well, has come back and was waited for. */
static void expect_end(struct asked *asked, const char *said)
{
	struct vms_group_stats stats;

	serve_until(asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked->said, said);
	assert_int_equal(vms_group_status(asked->group), 0);
	stats = stats_of(asked->group);
	assert_int_equal(stats.processes, 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(descendants().living, 0);
	assert_int_equal(descendants().zombies, 0);
	finish(asked);
}

/* --- all at once ---------------------------------------------------------- */

static uint64_t expect_crowd(const char *step, size_t limit)
{
	const struct vms_group_options options = limited_to(limit);
	struct asks asks = make_asks();
	struct asked asked;
	char steps[80], said[120];
	uint64_t refusals;

	snprintf(steps, sizeof steps, "%s=%d settled=%d dismiss", step, CROWD,
		 asks.from);
	snprintf(said, sizeof said, "%s ok\nsettled now\nasked ok\n"
		 "asked ENOMEM\nsettled ok\ndismiss ok\n", step);
	asked = start(&options, steps);
	expect_right_sum(&asked, &asks);
	assert_int_equal(stats_of(asked.group).processes, CROWD + 1);
	assert_true(stats_of(asked.group).committed_peak <= limit);
	/* But for the last one, which was to be refused. */
	refusals = stats_of(asked.group).refusals - 1;
	let_go_on(&asks);
	expect_end(&asked, said);
	return refusals;
}

static void a_crowd_that_asks_at_once_is_served(void **state)
{
	(void)state;
	assert_int_equal(expect_crowd("crowd", 2 * GIB), 0);
}

/* What the members are fits; what each of them asks for does not. */
static void a_crowd_that_asks_for_too_much_gets_enomem(void **state)
{
	(void)state;
	assert_true(expect_crowd("tight-crowd", 172 * MIB) > 0);
}

/* --- a fork bomb ---------------------------------------------------------- */

static void expect_bomb(int processes)
{
	const struct vms_group_options options = limited_to(4 * GIB);
	struct asks asks = make_asks();
	struct asked asked;
	char steps[80];

	snprintf(steps, sizeof steps, "bomb=%d settled=%d defuse", processes,
		 asks.from);
	asked = start(&options, steps);
	expect_right_sum(&asked, &asks);
	assert_int_equal(descendants().living, processes + 1);
	assert_int_equal(stats_of(asked.group).processes, processes + 1);
	let_go_on(&asks);
	expect_end(&asked, "bomb ok\nsettled now\nasked ok\nasked ENOMEM\n"
		   "settled ok\ndefuse ok\n");
}

static void a_fork_bomb_is_counted_and_reaped(void **state)
{
	(void)state;
	expect_bomb(SMALL_BOMB);
}

/* For good: only the superuser could raise it again. */
static void lower_descriptors(rlim_t count)
{
	const struct rlimit limit = { count, count };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_fork_bomb_may_have_more_than_the_usual_descriptors(void **state)
{
	(void)state;
	lower_descriptors(USUAL_DESCRIPTORS);
	expect_bomb(LARGE_BOMB);
}

static void a_fork_bomb_may_have_more_than_a_few_descriptors(void **state)
{
	(void)state;
	lower_descriptors(FEW_DESCRIPTORS);
	expect_bomb(SMALL_BOMB);
}

/* --- one after the other -------------------------------------------------- */

#define HELD 4 /* MiB that a child has a copy of */

static int open_descriptors(void)
{
	int count = 0;

	for (int i = 0; i < 1024; i++)
		count += fcntl(i, F_GETFD) >= 0;
	return count;
}

/* So many copies of the first process are there at once, at least and most. */
static void expect_short_lives(const char *step, int count, size_t least,
			       size_t most)
{
	const struct vms_group_options options = limited_to(512 * MIB);
	struct asks asks = make_asks();
	struct asked asked;
	char steps[80], said[120];
	int descriptors;
	size_t own;

	snprintf(steps, sizeof steps, "hold=%d %s=%d settled=%d", HELD, step,
		 count, asks.from);
	snprintf(said, sizeof said, "hold ok\n%s ok\nsettled now\nasked ok\n"
		 "asked ENOMEM\nsettled ok\n", step);
	asked = start(&options, steps);
	descriptors = open_descriptors();
	serve_until_said(&asked, "settled now\n");
	own = descendants().committed;
	assert_in_range(stats_of(asked.group).committed_peak, least * own - MIB / 2,
			most * own + MIB);
	/*
	 * On a busy machine the first life may have begun before start()
	 * returns, and the end of the last one may not have been told yet.
	 */
	assert_in_range(open_descriptors(), descriptors - 1, descriptors + 1);
	assert_int_equal(descendants().zombies, 0);
	expect_right_sum(&asked, &asks);
	let_go_on(&asks);
	expect_end(&asked, said);
}

/* The parent, its child, and one that has ended and was not told yet. */
static void forks_in_a_row_do_not_add_up(void **state)
{
	(void)state;
	expect_short_lives("forks", SHORT_LIVES, 2, 3);
}

static void programs_in_a_row_do_not_add_up(void **state)
{
	(void)state;
	expect_short_lives("programs", SHORT_LIVES, 1, 2);
}

/* Eight that fork, and of each a child and two whose end was not told yet. */
static void forks_at_once_do_not_add_up(void **state)
{
	(void)state;
	expect_short_lives("forks-at-once", SHORT_LIVES, 9, 33);
}

static void programs_at_once_do_not_add_up(void **state)
{
	(void)state;
	expect_short_lives("programs-at-once", SHORT_LIVES, 9, 33);
}

/* They ask for nothing, and have ended when their parent ends. */
static void orphans_that_were_never_seen_are_reaped(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "orphans=20");

	(void)state;
	expect_end(&asked, "orphans ok\n");
}

#define CASE(name) cmocka_unit_test_teardown(name, clear_up)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(a_crowd_that_asks_at_once_is_served),
		CASE(a_crowd_that_asks_for_too_much_gets_enomem),
		CASE(forks_in_a_row_do_not_add_up),
		CASE(programs_in_a_row_do_not_add_up),
		CASE(forks_at_once_do_not_add_up),
		CASE(programs_at_once_do_not_add_up),
		CASE(orphans_that_were_never_seen_are_reaped),
		CASE(a_fork_bomb_is_counted_and_reaped),
		/* From here on with fewer and fewer descriptors. */
		CASE(a_fork_bomb_may_have_more_than_the_usual_descriptors),
		CASE(a_fork_bomb_may_have_more_than_a_few_descriptors),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_many", tests, NULL, NULL);
}
