/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What a program of a group maps shared and writable of a file in memory counts
 * when it is mapped, each page of the file once, as far as the file goes. The
 * limit is 64 MiB, and the program itself has less than one.
 */

/* Of the program itself. */
#define SLACK (2 * MIB)
#define RANDOM_RUNS 2

static void what_does_not_fit_is_refused(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=200 map=200 touch=0 map=40 map=60",
		    "memfd ok\nmap ENOMEM\ntouch ok\nmap ok\nmap ok\n");
	expect_said(&options, "memfd=200 validated=200 map=63",
		    "memfd ok\nvalidated ENOMEM\nmap ok\n");
	expect_said(&options, "named=200 remove map=200 map=40",
		    "named ok\nremove ok\nmap ENOMEM\nmap ok\n");
}

static void a_file_in_pieces_is_refused_at_the_right_one(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=200 pieces=200",
		    "memfd ok\nmapped 62\npieces ENOMEM\n");
}

static void what_is_mapped_leaves_less_for_others(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=40 map=40 private=40 private=20",
		    "memfd ok\nmap ok\nprivate ENOMEM\nprivate ok\n");
}

static void pages_that_are_seen_twice_count_once(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=60 map=60 map=60 half=60 private=2",
		    "memfd ok\nmap ok\nmap ok\nhalf ok\nprivate ok\n");
	expect_said(&options, "memfd=60 half=60 map=60 private=2 private=4",
		    "memfd ok\nhalf ok\nmap ok\nprivate ok\nprivate ENOMEM\n");
	expect_said(&options, "memfd=60 child-maps=60 map=60 child-maps=60",
		    "memfd ok\nchild-maps ok\nmap ok\nchild-maps ok\n");
	expect_said(&options, "named=60 map=60 child-maps-by-name=60 remove",
		    "named ok\nmap ok\nchild-maps-by-name ok\nremove ok\n");
}

static void what_was_unmapped_is_free_at_once(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=60 map=60 unmap private=60",
		    "memfd ok\nmap ok\nunmap ok\nprivate ok\n");
	expect_said(&options, "memfd=60 map=60 unmap memfd=60 map=60 private=9",
		    "memfd ok\nmap ok\nunmap ok\nmemfd ok\nmap ok\n"
		    "private ENOMEM\n");
	expect_said(&options, "memfd=60 child-maps=60 private=60",
		    "memfd ok\nchild-maps ok\nprivate ok\n");
	expect_said(&options, "memfd=60 map=60 reserve-over=60 private=60",
		    "memfd ok\nmap ok\nreserve-over ok\nprivate ok\n");
}

static void what_was_mapped_over_is_charged_once(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=60 map=60 again=60 again=60 private=2",
		    "memfd ok\nmap ok\nagain ok\nagain ok\nprivate ok\n");
	/* In place of private memory, which is charged until then. */
	expect_said(&options, "memfd=60 private=60 again=60 private=9",
		    "memfd ok\nprivate ok\nagain ok\nprivate ENOMEM\n");
}

static void what_is_past_the_end_does_not_count(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=20 map=200 private=40 private=9",
		    "memfd ok\nmap ok\nprivate ok\nprivate ENOMEM\n");
	/* Of the file that has grown what is mapped now, and no more. */
	expect_said(&options, "memfd=0 map=200 grow=200 map=30 private=30 "
		    "private=9", "memfd ok\nmap ok\ngrow ok\nmap ok\n"
		    "private ok\nprivate ENOMEM\n");
}

static void what_becomes_writable_counts(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=200 read=200 private=60 unmap read=200 "
		    "writable", "memfd ok\nread ok\nprivate ok\nunmap ok\n"
		    "read ok\nwritable ENOMEM\n");
	expect_said(&options, "memfd=40 read=40 writable private=40 private=20",
		    "memfd ok\nread ok\nwritable ok\nprivate ENOMEM\n"
		    "private ok\n");
	expect_said(&options, "memfd=40 map=40 unwritable writable "
		    "private=40", "memfd ok\nmap ok\nunwritable ok\n"
		    "writable ok\nprivate ENOMEM\n");
}

static void what_a_mapping_grows_by_counts(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=20 map=20 grow=200 remap=200 remap=60 "
		    "private=9", "memfd ok\nmap ok\ngrow ok\nremap ENOMEM\n"
		    "remap ok\nprivate ENOMEM\n");
}

static void noreserve_is_free_where_that_is_asked_for(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "memfd=200 noreserve=200",
		    "memfd ok\nnoreserve ENOMEM\n");
	options.flags = VMS_GROUP_NORESERVE_FREE;
	expect_said(&options, "memfd=200 noreserve=200 map=200 map=40",
		    "memfd ok\nnoreserve ok\nmap ENOMEM\nmap ok\n");
}

static void only_a_strict_group_counts_it(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	options.policy = VMS_COMMIT_HEURISTIC;
	expect_said(&options, "memfd=200 map=200", "memfd ok\nmap ok\n");
	options.policy = VMS_COMMIT_ALWAYS;
	expect_said(&options, "memfd=200 map=200", "memfd ok\nmap ok\n");
}

/* What Linux refuses itself is no request of the group's. */
static void linux_answers_first(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "memfd=200 read-only map=200 "
		"read=200 writable closed memfd=200 seal map=200 map=40");

	(void)state;
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, "memfd ok\nread-only ok\nmap EACCES\n"
		"read ok\nwritable EACCES\nclosed EBADF\nmemfd ok\nseal ok\n"
		"map EPERM\nmap EPERM\n");
	assert_int_equal(stats_of(asked.group).refusals, 0);
	finish(&asked);
}

/* --- at random ------------------------------------------------------------- */

static const char *random_program;

static void expect_right(const char *step, unsigned seed)
{
	const struct vms_group_options options = default_options();
	char steps[32];
	struct asked asked;

	snprintf(steps, sizeof steps, "%s=%u", step, seed);
	asked = start(&options, steps);
	serve_until(&asked, VMS_GROUP_EMPTY);
	if (asked.length < 4 || strcmp(asked.said + asked.length - 4, " ok\n"))
		fail_msg("%s: %s", steps, asked.said);
	finish(&asked);
}

/* The program compares each answer with what it has mapped. */
static void answers_are_right_whatever_is_mapped(void **state)
{
	const char *text = getenv("VMSPACE_GROUP_SEED");
	const unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : 1;
	const char *filer = asker_path();

	(void)state;
	use_program(random_program);
	print_message("# VMSPACE_GROUP_SEED=%u\n", seed);
	for (unsigned i = 0; i < RANDOM_RUNS; i++) {
		expect_right("alone", seed + i);
		expect_right("together", seed + i);
	}
	use_program(filer);
}

/* --- the peak ------------------------------------------------------------- */

static void expect_peak(struct asked *asked, size_t peak)
{
	struct vms_group_stats stats;

	serve_until(asked, VMS_GROUP_EMPTY);
	assert_null(strstr(asked->said, "ENOMEM"));
	stats = stats_of(asked->group);
	print_message("# peak %zu KiB, %llu looks\n", stats.committed_peak >> 10,
		      (unsigned long long)stats.looks);
	assert_in_range(stats.committed_peak, peak, peak + SLACK);
	finish(asked);
}

static void pages_that_are_seen_twice_are_no_peak(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.commit_limit = 4 * LIMIT;
	asked = start(&options, "memfd=40 map=40 map=40 half=40 child-maps=40 "
		      "over-and-over=40");
	expect_peak(&asked, 40 * MIB);
}

/* Who ends before any look is refused, or has not passed the limit. */
static void a_quick_program_does_not_pass_the_limit(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "memfd=60 map=60 touch=60");

	(void)state;
	expect_peak(&asked, 60 * MIB);
	expect_said(&options, "memfd=80 map=80 memfd=40 map=40 touch=40 "
		    "memfd=40 map=40", "memfd ok\nmap ENOMEM\nmemfd ok\n"
		    "map ok\ntouch ok\nmemfd ok\nmap ENOMEM\n");
}

/* --- the cost ------------------------------------------------------------- */

/* 10,000 of 64 KiB: each new peak is looked into, and few are by much. */
static void pieces_that_fit_cost_no_looks(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;
	struct vms_group_stats stats;

	(void)state;
	options.commit_limit = 100 * LIMIT;
	asked = start(&options, "memfd=625 small-pieces=625");
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, "memfd ok\nmapped 625\n"
			    "small-pieces ok\n");
	stats = stats_of(asked.group);
	print_message("# %llu looks, peak %zu KiB\n",
		      (unsigned long long)stats.looks, stats.committed_peak >> 10);
	assert_in_range(stats.looks, 0, 200);
	assert_in_range(stats.requests, 10000, 10100);
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(a_file_in_pieces_is_refused_at_the_right_one),
		cmocka_unit_test(what_is_mapped_leaves_less_for_others),
		cmocka_unit_test(pages_that_are_seen_twice_count_once),
		cmocka_unit_test(what_was_unmapped_is_free_at_once),
		cmocka_unit_test(what_was_mapped_over_is_charged_once),
		cmocka_unit_test(what_is_past_the_end_does_not_count),
		cmocka_unit_test(what_becomes_writable_counts),
		cmocka_unit_test(what_a_mapping_grows_by_counts),
		cmocka_unit_test(noreserve_is_free_where_that_is_asked_for),
		cmocka_unit_test(only_a_strict_group_counts_it),
		cmocka_unit_test(linux_answers_first),
		cmocka_unit_test(answers_are_right_whatever_is_mapped),
		cmocka_unit_test(pages_that_are_seen_twice_are_no_peak),
		cmocka_unit_test(a_quick_program_does_not_pass_the_limit),
		cmocka_unit_test(pieces_that_fit_cost_no_looks),
	};

	need_groups(argc, argv);
	random_program = argv[2];
	return cmocka_run_group_tests_name("group_memory_files", tests, NULL,
					   NULL);
}
