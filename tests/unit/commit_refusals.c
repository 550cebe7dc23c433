/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/commit/refusals.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define PAGE (4 * KIB)

/* A machine in mode 2 of which that much is left, the page with it. */
static struct vmsi_commit_figures strict(uint64_t left)
{
	struct vmsi_commit_figures figures = { .mode = VMSI_MODE_STRICT };

	figures.left = (struct vmsi_commit_left){
		.limit.value = 1000 * MIB,
		.committed.value = 1000 * MIB - left - PAGE,
		.admin_reserve.value = 8 * MIB,
		.user_reserve.value = 128 * MIB,
		.page = PAGE,
	};
	return figures;
}

static const struct vmsi_commit_holder administrator = { .exemption = VMSI_EXEMPT_YES };

static void expect(const struct vmsi_commit_figures *figures,
		   const struct vmsi_commit_holder *holder, uint64_t may_ask,
		   unsigned refused)
{
	const struct vmsi_refusal refusal = vmsi_refusal_of(figures, holder);

	assert_int_equal(refusal.may_ask.error, 0);
	assert_int_equal(refusal.may_ask.passed ? 0 : refusal.may_ask.bytes, may_ask);
	assert_int_equal(refusal.refused, refused);
}

static void users_are_refused_before_the_administrator(void **state)
{
	const struct vmsi_commit_figures figures = strict(8 * MIB);
	struct vmsi_commit_holder user = { .exemption = VMSI_EXEMPT_NO };

	(void)state;
	expect(&figures, &administrator, 8 * MIB, 0);
	expect(&figures, &user, 0, VMSI_REFUSED_ALL);
	/* Where it is not known who has the capability, the smaller amount is shown. */
	user.exemption = VMSI_EXEMPT_UNKNOWN;
	expect(&figures, &user, 0, VMSI_REFUSED_ALL);
}

static void large_processes_leave_more_to_the_user(void **state)
{
	const struct vmsi_commit_figures figures = strict(200 * MIB);
	struct vmsi_commit_holder holder = administrator;

	(void)state;
	/* A 32nd, in whole pages. */
	holder.mapped = 64 * MIB;
	expect(&figures, &holder, 198 * MIB, 0);
	holder.mapped = 64 * MIB + 31 * PAGE;
	expect(&figures, &holder, 198 * MIB, 0);
	holder.mapped = 64 * MIB + 32 * PAGE;
	expect(&figures, &holder, 198 * MIB - PAGE, 0);
	holder.mapped = UINT64_C(1) << 46;
	expect(&figures, &holder, 72 * MIB, 0);
}

static void a_fork_is_charged_what_the_parent_holds(void **state)
{
	const struct vmsi_commit_figures figures = strict(100 * MIB);
	struct vmsi_commit_holder holder = administrator;

	(void)state;
	holder.forked = 100 * MIB;
	expect(&figures, &holder, 100 * MIB, 0);
	holder.forked += PAGE;
	expect(&figures, &holder, 100 * MIB, VMSI_REFUSED_FORK);
	holder.uncharged = 100 * MIB + PAGE;
	expect(&figures, &holder, 100 * MIB, VMSI_REFUSED_FORK | VMSI_REFUSED_START);
	holder.forked = 0;
	expect(&figures, &holder, 100 * MIB, VMSI_REFUSED_START);
}

static void mode_0_looks_at_each_mapping_by_itself(void **state)
{
	const struct vmsi_commit_figures figures = {
		.mode = VMSI_MODE_HEURISTIC,
		.largest_request.value = 100 * MIB,
	};
	struct vmsi_commit_holder holder = {
		.forked = 300 * MIB,
		.largest_forked = 100 * MIB,
		.uncharged = 200 * MIB,
	};

	(void)state;
	expect(&figures, &holder, 100 * MIB, 0);
	holder.largest_forked += PAGE;
	expect(&figures, &holder, 100 * MIB, VMSI_REFUSED_FORK);
}

static void what_is_not_known_refuses_nobody(void **state)
{
	struct vmsi_commit_figures figures = strict(0);
	const struct vmsi_commit_holder holder = { .forked = MIB };
	struct vmsi_refusal refusal;

	(void)state;
	figures.left.committed.error = -ENODATA;
	refusal = vmsi_refusal_of(&figures, &holder);
	assert_int_equal(refusal.may_ask.error, -ENODATA);
	assert_int_equal(refusal.refused, 0);
	figures.mode = VMSI_MODE_ALWAYS;
	assert_int_equal(vmsi_refusal_of(&figures, &holder).refused, 0);
}

static void those_that_are_refused_something_come_first(void **state)
{
	const struct vmsi_commit_figures figures = strict(100 * MIB);
	struct vmsi_commit_holder holders[] = {
		{ .pid = 1, .exemption = VMSI_EXEMPT_YES, .committed = 300 * MIB },
		{ .pid = 2, .exemption = VMSI_EXEMPT_YES, .forked = 200 * MIB },
		{ .pid = 3, .exemption = VMSI_EXEMPT_YES },
		{ .pid = 4, .exemption = VMSI_EXEMPT_YES, .uncharged = 200 * MIB },
	};
	const struct vmsi_audit audit = { .holders = holders, .count = 4 };
	static const pid_t order[] = { 2, 4, 1, 3 };
	struct vmsi_refusals refusals;

	(void)state;
	assert_int_equal(vmsi_refusals_read(&refusals, &figures, &audit), 0);
	assert_int_equal(refusals.count, 4);
	assert_int_equal(refusals.refused_count, 2);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(refusals.list[i].holder->pid, order[i]);
	vmsi_refusals_free(&refusals);
}

static void only_a_strict_budget_leaves_an_amount(void **state)
{
	struct vmsi_budget_seen budget = {
		.figures = { .policy = VMS_COMMIT_STRICT, .limit = 100, .charged = 40 },
	};

	(void)state;
	assert_int_equal(vmsi_refusals_left_of_budget(&budget), 60);
	budget.figures.charged = 101;
	assert_int_equal(vmsi_refusals_left_of_budget(&budget), 0);
	budget.figures.charged = 0;
	budget.error = -EINVAL;
	assert_int_equal(vmsi_refusals_left_of_budget(&budget), 0);
	budget.error = 0;
	budget.figures.policy = VMS_COMMIT_ALWAYS;
	assert_int_equal(vmsi_refusals_left_of_budget(&budget), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_refused_before_the_administrator),
		cmocka_unit_test(large_processes_leave_more_to_the_user),
		cmocka_unit_test(a_fork_is_charged_what_the_parent_holds),
		cmocka_unit_test(mode_0_looks_at_each_mapping_by_itself),
		cmocka_unit_test(what_is_not_known_refuses_nobody),
		cmocka_unit_test(those_that_are_refused_something_come_first),
		cmocka_unit_test(only_a_strict_budget_leaves_an_amount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
