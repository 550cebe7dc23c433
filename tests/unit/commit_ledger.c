/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "commit/commit.h"

static struct vmsi_ledger ledger;

static void a_new_ledger_has_no_charge(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	assert_int_equal(ledger.limit, 100);
	assert_int_equal(ledger.policy, VMS_COMMIT_STRICT);
	assert_int_equal(ledger.charged, 0);
	assert_int_equal(ledger.peak, 0);
	assert_int_equal(ledger.refusals, 0);
}

static void strict_refuses_what_passes_the_limit_in_sum(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_ledger_charge(&ledger, 60, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 41, 0), -ENOMEM);
	assert_int_equal(ledger.charged, 60);
	assert_int_equal(ledger.refusals, 1);
	assert_int_equal(vmsi_ledger_charge(&ledger, 40, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 1, 0), -ENOMEM);
	assert_int_equal(ledger.charged, 100);
	assert_int_equal(ledger.peak, 100);
	assert_int_equal(ledger.refusals, 2);
}

static void heuristic_looks_at_each_request_alone(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_HEURISTIC);
	for (int i = 0; i < 5; i++)
		assert_int_equal(vmsi_ledger_charge(&ledger, 100, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 101, 0), -ENOMEM);
	assert_int_equal(ledger.charged, 500);
}

static void always_refuses_nothing(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_ALWAYS);
	assert_int_equal(vmsi_ledger_charge(&ledger, SIZE_MAX / 2, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 1000, 0), 0);
	assert_int_equal(ledger.refusals, 0);
}

static void a_refund_counts_against_the_charge(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_ledger_charge(&ledger, 90, 0), 0);
	/* Charging 50 and refunding 40 adds 10. */
	assert_int_equal(vmsi_ledger_charge(&ledger, 50, 40), 0);
	vmsi_ledger_uncharge(&ledger, 40);
	assert_int_equal(ledger.charged, 100);
	assert_int_equal(ledger.peak, 100);
	/* A refund larger than the charge is never refused. */
	ledger.limit = 10;
	assert_int_equal(vmsi_ledger_charge(&ledger, 30, 30), 0);
	vmsi_ledger_uncharge(&ledger, 30);
	assert_int_equal(vmsi_ledger_charge(&ledger, 31, 30), -ENOMEM);
	assert_int_equal(ledger.charged, 100);
}

static void a_limit_below_the_charge_refuses_without_wrapping(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_ledger_charge(&ledger, 80, 0), 0);
	ledger.limit = 50;
	assert_int_equal(vmsi_ledger_charge(&ledger, 1, 0), -ENOMEM);
	assert_int_equal(vmsi_ledger_charge(&ledger, SIZE_MAX - 10, 0),
			 -ENOMEM);
	assert_int_equal(ledger.charged, 80);
}

static void a_forced_charge_is_never_refused(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 10, VMS_COMMIT_STRICT);
	vmsi_ledger_charge_forced(&ledger, 25, 0);
	assert_int_equal(ledger.charged, 25);
	assert_int_equal(ledger.peak, 25);
	assert_int_equal(ledger.refusals, 0);
	vmsi_ledger_uncharge(&ledger, 25);
	assert_int_equal(ledger.charged, 0);
	assert_int_equal(ledger.peak, 25);
}

static void uncharging_too_much_ends_the_program(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		vmsi_ledger_init(&ledger, 100, VMS_COMMIT_ALWAYS);
		vmsi_ledger_charge(&ledger, 7, 0);
		vmsi_ledger_uncharge(&ledger, 8);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void only_strict_ignores_noreserve(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_HEURISTIC);
	assert_true(vmsi_ledger_honours_noreserve(&ledger));
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_ALWAYS);
	assert_true(vmsi_ledger_honours_noreserve(&ledger));
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	assert_false(vmsi_ledger_honours_noreserve(&ledger));
}

static void writable_memory_counts_unless_exempt(void **state)
{
	(void)state;
	assert_true(vmsi_commit_counts(PROT_WRITE, 0, 6));
	assert_true(vmsi_commit_counts(PROT_READ | PROT_WRITE, 1, 6));
	assert_false(vmsi_commit_counts(PROT_READ | PROT_WRITE, 2, 6));
	assert_false(vmsi_commit_counts(PROT_WRITE, 5, 6));
	assert_false(vmsi_commit_counts(PROT_READ | PROT_EXEC, 0, 6));
	assert_false(vmsi_commit_counts(PROT_NONE, 0, 0));
}

/* --- what the host refuses ----------------------------------------------- */

static void what_the_host_refuses_is_no_peak(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 1000, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_ledger_charge(&ledger, 60, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 900, 0), 0);
	vmsi_ledger_take_back(&ledger, 900);
	assert_int_equal(ledger.charged, 60);
	assert_int_equal(ledger.peak, 60);
	/* Uncharge a part of the sum of several charges. */
	assert_int_equal(vmsi_ledger_charge(&ledger, 20, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 30, 0), 0);
	vmsi_ledger_take_back(&ledger, 30);
	assert_int_equal(ledger.peak, 80);
}

static void what_was_freed_before_stays_a_peak(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, 1000, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_ledger_charge(&ledger, 500, 0), 0);
	vmsi_ledger_uncharge(&ledger, 400);
	assert_int_equal(vmsi_ledger_charge(&ledger, 850, 0), 0);
	vmsi_ledger_take_back(&ledger, 850);
	assert_int_equal(ledger.charged, 100);
	assert_int_equal(ledger.peak, 500);
	/* The refund is taken back when the charge is refused. */
	assert_int_equal(vmsi_ledger_charge(&ledger, 900, 100), 0);
	vmsi_ledger_take_back(&ledger, 900);
	assert_int_equal(ledger.peak, 500);
}

/* --- under another level ------------------------------------------------- */

static struct {
	size_t charged, peak, limit, taken_back;
	bool honours_noreserve;
} upper;

static int upper_charge(void *context, size_t bytes)
{
	assert_ptr_equal(context, &upper);
	if (bytes > upper.limit - upper.charged)
		return -ENOMEM;
	upper.charged += bytes;
	if (upper.charged > upper.peak)
		upper.peak = upper.charged;
	return 0;
}

static void upper_charge_forced(void *context, size_t bytes)
{
	assert_ptr_equal(context, &upper);
	upper.charged += bytes;
}

static void upper_uncharge(void *context, size_t bytes)
{
	assert_ptr_equal(context, &upper);
	assert_true(bytes <= upper.charged);
	upper.charged -= bytes;
}

static void upper_take_back(void *context, size_t bytes)
{
	upper_uncharge(context, bytes);
	upper.taken_back += bytes;
}

static bool upper_honours_noreserve(void *context)
{
	assert_ptr_equal(context, &upper);
	return upper.honours_noreserve;
}

static const struct vmsi_ledger_upper upper_calls = {
	.charge = upper_charge,
	.charge_forced = upper_charge_forced,
	.uncharge = upper_uncharge,
	.take_back = upper_take_back,
	.honours_noreserve = upper_honours_noreserve,
};

static void put_under_upper(size_t limit)
{
	upper.charged = upper.peak = upper.taken_back = 0;
	upper.limit = limit;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	vmsi_ledger_put_under(&ledger, &upper_calls, &upper);
}

static void what_is_above_is_charged_too(void **state)
{
	(void)state;
	put_under_upper(1000);
	assert_int_equal(vmsi_ledger_charge(&ledger, 60, 0), 0);
	vmsi_ledger_charge_forced(&ledger, 70, 0);
	assert_int_equal(upper.charged, 130);
	vmsi_ledger_uncharge(&ledger, 100);
	assert_int_equal(upper.charged, 30);
	/* A ledger that refuses does not ask its budget. */
	assert_int_equal(vmsi_ledger_charge(&ledger, 71, 0), -ENOMEM);
	assert_int_equal(upper.charged, 30);
	vmsi_ledger_end(&ledger);
	assert_int_equal(upper.charged, 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 9, 0), 0);
	assert_int_equal(upper.charged, 0);
}

static void a_refusal_from_above_charges_nothing(void **state)
{
	(void)state;
	put_under_upper(50);
	assert_int_equal(vmsi_ledger_charge(&ledger, 51, 0), -EDQUOT);
	assert_int_equal(ledger.charged, 0);
	assert_int_equal(ledger.peak, 0);
	/*
	 * The caller counts refusals, since only it knows whether it will try again.
	 */
	assert_int_equal(ledger.refusals, 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 50, 0), 0);
}

static void only_the_net_is_charged_above(void **state)
{
	(void)state;
	put_under_upper(100);
	assert_int_equal(vmsi_ledger_charge(&ledger, 90, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 70, 60), 0);
	assert_int_equal(upper.charged, 100);
	assert_int_equal(ledger.ahead, 60);
	vmsi_ledger_uncharge(&ledger, 60);
	assert_int_equal(upper.charged, 100);
	/* Refund more than is charged, at the limit. */
	assert_int_equal(vmsi_ledger_charge(&ledger, 10, 30), 0);
	assert_int_equal(upper.charged, 100);
	vmsi_ledger_uncharge(&ledger, 30);
	assert_int_equal(upper.charged, 80);
	/* The kernel refuses the new mapping: undo the charge, refund nothing. */
	assert_int_equal(vmsi_ledger_charge(&ledger, 30, 20), 0);
	assert_int_equal(upper.charged, 90);
	vmsi_ledger_take_back(&ledger, 30);
	assert_int_equal(upper.charged, 80);
	assert_int_equal(upper.taken_back, 10);
	/* A move charges the new place and refunds the old one. */
	vmsi_ledger_charge_forced(&ledger, 40, 40);
	vmsi_ledger_uncharge(&ledger, 40);
	assert_int_equal(upper.charged, 80);
	assert_int_equal(upper.peak, 100);
	assert_int_equal(ledger.charged, 80);
	assert_int_equal(ledger.ahead, 0);
}

static void noreserve_is_honoured_where_all_levels_do(void **state)
{
	(void)state;
	put_under_upper(100);
	ledger.policy = VMS_COMMIT_HEURISTIC;
	upper.honours_noreserve = false;
	assert_false(vmsi_ledger_honours_noreserve(&ledger));
	upper.honours_noreserve = true;
	assert_true(vmsi_ledger_honours_noreserve(&ledger));
	ledger.policy = VMS_COMMIT_STRICT;
	assert_false(vmsi_ledger_honours_noreserve(&ledger));
}

static void a_sum_that_wraps_does_not_fit(void **state)
{
	(void)state;
	vmsi_ledger_init(&ledger, SIZE_MAX, VMS_COMMIT_ALWAYS);
	assert_int_equal(vmsi_ledger_charge(&ledger, SIZE_MAX - 5, 0), 0);
	assert_int_equal(vmsi_ledger_charge(&ledger, 6, 0), -ENOMEM);
	ledger.policy = VMS_COMMIT_HEURISTIC;
	assert_int_equal(vmsi_ledger_charge(&ledger, 6, 0), -ENOMEM);
	assert_int_equal(vmsi_ledger_charge(&ledger, 5, 0), 0);
}

static void an_object_is_charged_here_or_only_above(void **state)
{
	struct vmsi_hold hold = { .id = { 1, 2 }, .bytes = 60 };

	(void)state;
	vmsi_ledger_init(&ledger, 100, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_ledger_hold(&ledger, &hold, VMSI_HOLD_ABOVE, 0),
			 0);
	assert_int_equal(ledger.charged, 0);
	vmsi_ledger_release(&ledger, hold.id, 0);
	assert_int_equal(vmsi_ledger_hold(&ledger, &hold, VMSI_HOLD_HERE, 0),
			 0);
	assert_int_equal(ledger.charged, 60);
	/* Holding more of an object charges the difference. */
	hold.before = 60;
	hold.bytes = 101;
	assert_int_equal(vmsi_ledger_hold(&ledger, &hold, VMSI_HOLD_HERE, 0),
			 -ENOMEM);
	assert_int_equal(ledger.charged, 60);
	assert_int_equal(ledger.refusals, 1);
	hold.bytes = 70;
	assert_int_equal(vmsi_ledger_hold(&ledger, &hold, VMSI_HOLD_HERE, 0),
			 0);
	assert_int_equal(ledger.charged, 70);
	assert_int_equal(ledger.peak, 70);
	vmsi_ledger_take_back_hold(&ledger, &hold, VMSI_HOLD_HERE);
	assert_int_equal(ledger.charged, 60);
	assert_int_equal(ledger.peak, 60);
	/* The limit and the peak see charge minus refund. */
	hold = (struct vmsi_hold){ .id = { 1, 3 }, .bytes = 90 };
	assert_int_equal(vmsi_ledger_hold(&ledger, &hold, VMSI_HOLD_HERE, 60),
			 0);
	vmsi_ledger_uncharge(&ledger, 60);
	assert_int_equal(ledger.charged, 90);
	assert_int_equal(ledger.peak, 90);
	assert_int_equal(ledger.ahead, 0);
	vmsi_ledger_release(&ledger, hold.id, 90);
	assert_int_equal(ledger.charged, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_ledger_has_no_charge),
		cmocka_unit_test(strict_refuses_what_passes_the_limit_in_sum),
		cmocka_unit_test(heuristic_looks_at_each_request_alone),
		cmocka_unit_test(always_refuses_nothing),
		cmocka_unit_test(a_refund_counts_against_the_charge),
		cmocka_unit_test(
			a_limit_below_the_charge_refuses_without_wrapping),
		cmocka_unit_test(a_forced_charge_is_never_refused),
		cmocka_unit_test(uncharging_too_much_ends_the_program),
		cmocka_unit_test(only_strict_ignores_noreserve),
		cmocka_unit_test(writable_memory_counts_unless_exempt),
		cmocka_unit_test(what_the_host_refuses_is_no_peak),
		cmocka_unit_test(what_was_freed_before_stays_a_peak),
		cmocka_unit_test(what_is_above_is_charged_too),
		cmocka_unit_test(a_refusal_from_above_charges_nothing),
		cmocka_unit_test(only_the_net_is_charged_above),
		cmocka_unit_test(noreserve_is_honoured_where_all_levels_do),
		cmocka_unit_test(a_sum_that_wraps_does_not_fit),
		cmocka_unit_test(an_object_is_charged_here_or_only_above),
	};

	return cmocka_run_group_tests_name("commit_ledger", tests, NULL, NULL);
}
