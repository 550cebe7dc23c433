/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <vmspace.h>
#include <vmspace/group.h>

#include "text/json.h"

/* Figures as JSON. That each member is in it is tests/install/stat_members.py's. */

static void figures_become_an_object(void **state)
{
	const struct vms_budget_stats stats = {
		.struct_size = sizeof(stats),
		.limit = SIZE_MAX,
		.policy = VMS_COMMIT_STRICT,
		.committed = 4096,
		.refusals = 7,
		.processes = 2,
	};
	char text[400];
	const int length = vms_budget_stats_to_json(&stats, text, sizeof(text));

	(void)state;
	assert_string_equal(text, "{\"limit\":18446744073709551615,"
		"\"policy\":\"strict\",\"committed\":4096,\"committed_here\":0,"
		"\"committed_peak\":0,\"refusals\":7,\"processes\":2,"
		"\"soft_limit\":0}");
	assert_int_equal(length, strlen(text));
}

static void text_is_cut_as_by_snprintf(void **state)
{
	const struct vms_buffer_stats stats = {
		.struct_size = sizeof(stats), .size = 12345, .moves = 1 };
	char whole[200], text[200];
	const int length = vms_buffer_stats_to_json(&stats, whole, sizeof(whole));

	(void)state;
	assert_int_equal(vms_buffer_stats_to_json(&stats, NULL, 0), length);
	for (size_t size = 1; size <= (size_t)length + 1; size++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(vms_buffer_stats_to_json(&stats, text, size), length);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
		assert_int_equal(text[size], '#');
	}
}

static void words_truths_and_lists_are_told(void **state)
{
	struct vms_pool_stats pool = { .struct_size = sizeof(pool),
		.engine = VMS_POOL_URING, .engine_error = -1,
		.fault_engine = (enum vms_pool_faults)99, .serves_system_calls = 1,
		.swap_codec = VMS_POOL_ZSTD };
	const struct vms_share_stats share = { .struct_size = sizeof(share),
		.sealed = true };
	char text[4000];

	(void)state;
	pool.miss_times[0] = 3;
	pool.miss_times[VMS_POOL_TIMES - 1] = 4;
	assert_in_range(vms_pool_stats_to_json(&pool, text, sizeof(text)), 100,
			sizeof(text) - 1);
	assert_non_null(strstr(text, "\"engine\":\"uring\","));
	assert_non_null(strstr(text, "\"engine_error\":-1,"));
	assert_non_null(strstr(text, "\"fault_engine\":99,"));
	assert_non_null(strstr(text, "\"serves_system_calls\":true,"));
	assert_non_null(strstr(text, "\"swap_codec\":\"zstd\","));
	assert_non_null(strstr(text, "\"miss_times\":[3,0,"));
	assert_non_null(strstr(text, ",4],"));
	vms_share_stats_to_json(&share, text, sizeof(text));
	assert_non_null(strstr(text, "\"sealed\":true}"));
}

static void figure_that_is_not_known_is_null(void **state)
{
	const struct vms_stat stat = {
		.struct_size = sizeof(stat),
		.known = VMS_STAT_RESERVED | VMS_STAT_REFUSALS,
		.reserved = 8192,
	};
	char text[400];

	(void)state;
	vms_stat_to_json(&stat, text, sizeof(text));
	assert_string_equal(text, "{\"reserved\":8192,\"committed\":null,"
		"\"committed_peak\":null,\"limit\":null,\"mappings\":null,"
		"\"refusals\":0,\"resident_anonymous\":null,"
		"\"resident_file\":null,\"swapped\":null}");
}

/* A program that was built with an older header has less of the struct. */
static void members_that_a_program_does_not_have_are_left_out(void **state)
{
	struct vms_group_stats stats = {
		.struct_size = offsetof(struct vms_group_stats, granted_again),
		.interruptible = 5,
		.granted_again = 6,
	};
	char text[800];

	(void)state;
	assert_true(vms_group_stats_to_json(&stats, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "\"interruptible\":5}"));
	assert_null(strstr(text, "granted_again"));
	/* And one that was built with a newer one has more. */
	stats.struct_size = sizeof(stats) + 64;
	assert_true(vms_group_stats_to_json(&stats, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "\"granted_again\":6,"));
}

static void expect_refused(int result, int error)
{
	assert_int_equal(result, -1);
	assert_int_equal(errno, error);
}

static void arguments_that_make_no_sense_are_refused(void **state)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	char text[8] = "kept";

	(void)state;
	expect_refused(vms_space_stats_to_json(NULL, text, sizeof(text)), EINVAL);
	expect_refused(vms_space_stats_to_json(&stats, NULL, 1), EINVAL);
	stats.struct_size = 8;
	expect_refused(vms_space_stats_to_json(&stats, text, sizeof(text)), EINVAL);
	stats.struct_size = 1 << 20;
	expect_refused(vms_space_stats_to_json(&stats, text, sizeof(text)), E2BIG);
	expect_refused(vms_stat_to_json(NULL, text, sizeof(text)), EINVAL);
	assert_string_equal(text, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_become_an_object),
		cmocka_unit_test(text_is_cut_as_by_snprintf),
		cmocka_unit_test(words_truths_and_lists_are_told),
		cmocka_unit_test(figure_that_is_not_known_is_null),
		cmocka_unit_test(members_that_a_program_does_not_have_are_left_out),
		cmocka_unit_test(arguments_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
