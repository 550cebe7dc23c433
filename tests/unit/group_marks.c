/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "group/account/account.h"

/* When a mark is told, by the sums alone. */

static struct vmsi_marks marks;

static int begin(void **state)
{
	const size_t at[VMSI_MARKS] = { 1000, 2000 };

	(void)state;
	marks = (struct vmsi_marks){ .list[0].at = 0 };
	vmsi_marks_set(&marks, at);
	return 0;
}

static void expect_told(int first, int second)
{
	assert_int_equal(vmsi_marks_take_untold(&marks), first);
	assert_int_equal(vmsi_marks_take_untold(&marks), second);
	assert_int_equal(vmsi_marks_take_untold(&marks), -1);
}

static void a_mark_is_told_when_the_sum_is_as_high(void **state)
{
	(void)state;
	vmsi_marks_rose_to(&marks, 999);
	expect_told(-1, -1);
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(0, -1);
	vmsi_marks_rose_to(&marks, 1999);
	expect_told(-1, -1);
	vmsi_marks_rose_to(&marks, 2000);
	expect_told(1, -1);
}

static void what_is_reached_at_once_is_told_from_below(void **state)
{
	const size_t at[VMSI_MARKS] = { 2000, 1000 };

	(void)state;
	vmsi_marks_set(&marks, at);
	vmsi_marks_rose_to(&marks, 3000);
	expect_told(1, 0);
}

static void a_mark_waits_again_below_nineteen_twentieths(void **state)
{
	(void)state;
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(0, -1);
	assert_int_equal(vmsi_marks_again(&marks), 950);
	vmsi_marks_fell_to(&marks, 950);
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(-1, -1);
	vmsi_marks_fell_to(&marks, 949);
	assert_int_equal(vmsi_marks_again(&marks), 0);
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(0, -1);
}

static void what_fell_before_it_was_told_is_told(void **state)
{
	(void)state;
	vmsi_marks_rose_to(&marks, 1000);
	vmsi_marks_fell_to(&marks, 0);
	expect_told(0, -1);
}

static void what_was_not_made_is_not_told(void **state)
{
	(void)state;
	vmsi_marks_rose_to(&marks, 1000);
	vmsi_marks_take_back(&marks);
	expect_told(-1, -1);
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(0, -1);
	vmsi_marks_take_back(&marks);
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(-1, -1);
}

static void other_marks_begin_as_the_sum_is(void **state)
{
	const size_t higher[VMSI_MARKS] = { 1040, 2000 };
	const size_t none[VMSI_MARKS] = { 0, 0 };

	(void)state;
	vmsi_marks_rose_to(&marks, 1000);
	expect_told(0, -1);
	vmsi_marks_set(&marks, higher);
	vmsi_marks_fell_to(&marks, 1000);
	vmsi_marks_rose_to(&marks, 1040);
	expect_told(-1, -1);
	vmsi_marks_set(&marks, none);
	assert_true(vmsi_marks_next(&marks) == SIZE_MAX);
	assert_int_equal(vmsi_marks_again(&marks), 0);
	vmsi_marks_rose_to(&marks, SIZE_MAX);
	expect_told(-1, -1);
	vmsi_marks_set(&marks, higher);
	assert_int_equal(vmsi_marks_next(&marks), 1040);
}

/* A limit that is set below the peak breaks no invariant, and takes nothing. */
static void a_limit_below_the_sum_refuses_only(void **state)
{
	struct vmsi_account account;
	struct vmsi_account_process process = { .peak = 0 };
	const struct vmsi_effect effect = {
		.kind = VMSI_EFFECT_OWN, .thread = 1, .bytes = 600,
		.is_looked_at = true };

	(void)state;
	vmsi_account_init(&account, 1000, VMS_COMMIT_STRICT);
	vmsi_account_add(&account, &process);
	assert_int_equal(vmsi_account_grant(&account, &process, &effect, NULL),
			 0);
	vmsi_account_confirm(&account, &process, 1);
	vmsi_account_set_limit(&account, 500);
	assert_null(vmsi_account_broken(&account));
	assert_int_equal(vmsi_account_committed(&account), 600);
	assert_false(vmsi_account_fits(&account, 1));
	vmsi_account_measured(&account, &process, 100);
	assert_true(vmsi_account_fits(&account, 400));
	assert_false(vmsi_account_fits(&account, 401));
	vmsi_account_set_limit(&account, 2000);
	assert_int_equal(account.highest_limit, 2000);
	assert_true(vmsi_account_fits(&account, 1900));
	assert_null(vmsi_account_broken(&account));
	vmsi_account_ended(&account, &process);
	vmsi_account_free(&account);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_mark_is_told_when_the_sum_is_as_high, begin),
		cmocka_unit_test_setup(what_is_reached_at_once_is_told_from_below, begin),
		cmocka_unit_test_setup(a_mark_waits_again_below_nineteen_twentieths, begin),
		cmocka_unit_test_setup(what_fell_before_it_was_told_is_told, begin),
		cmocka_unit_test_setup(what_was_not_made_is_not_told, begin),
		cmocka_unit_test_setup(other_marks_begin_as_the_sum_is, begin),
		cmocka_unit_test(a_limit_below_the_sum_refuses_only),
	};

	return cmocka_run_group_tests_name("group_marks", tests, NULL, NULL);
}
