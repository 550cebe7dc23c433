/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "budget/budget.h"
#include "budget/slots.h"
#include "budget_shared.h"

/* Budgets that processes share: who is charged, and whose charge comes back. */

static int charge_sixty(void)
{
	return vms_budget_charge(budget, 60 * PAGE);
}

static void what_one_charges_the_others_see(void **state)
{
	vms_budget *other = vms_budget_from_fd(vms_budget_fd(budget));

	(void)state;
	assert_non_null(other);
	assert_string_equal(vms_budget_name(other), "shared");
	assert_int_equal(stats_of(other).policy, VMS_COMMIT_STRICT);
	charge(other, 70 * PAGE);
	assert_int_equal(charged_pages(), 70);
	assert_int_equal(stats_of(budget).committed_here, 0);
	assert_refused(vms_budget_charge(budget, 31 * PAGE), ENOMEM);
	charge(budget, 30 * PAGE);
	assert_int_equal(vms_budget_set_limit(budget, 200 * PAGE), 0);
	assert_int_equal(stats_of(other).limit, 200 * PAGE);
	charge(other, 100 * PAGE);
	assert_int_equal(stats_of(budget).committed_peak, 200 * PAGE);
	assert_int_equal(stats_of(other).refusals, 1);
	assert_int_equal(stats_of(budget).processes, 1);
	close_budget(other);
	assert_int_equal(charged_pages(), 30);
}

static void a_killed_process_gives_its_charge_back(void **state)
{
	struct child child = start_child(BY_FORK, charge_sixty);

	(void)state;
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(stats_of(budget).processes, 2);
	assert_refused(vms_budget_charge(budget, 50 * PAGE), ENOMEM);
	assert_int_equal(stats_of(budget).refusals, 1);
	kill_child(&child);
	/* The budget looks for dead processes only before it refuses something. */
	charge(budget, 50 * PAGE);
	assert_int_equal(charged_pages(), 50);
	assert_int_equal(stats_of(budget).processes, 1);
	bury(&child);
}

/* Leave the slot as one does who is killed before its request is answered. */
static int ask_for_ninety(void)
{
	atomic_store(&budget->shared->slots[budget->slot].asking, 90 * PAGE);
	return 0;
}

static void one_that_is_killed_while_it_asks_holds_nobody_up(void **state)
{
	struct child child = start_child(BY_FORK, ask_for_ninety);

	(void)state;
	kill_child(&child);
	charge(budget, 50 * PAGE);
	assert_int_equal(charged_pages(), 50);
	bury(&child);
}

/* A request that was never answered counts as granted while its process lives. */
static void one_that_asks_for_ever_is_not_waited_for(void **state)
{
	struct child child = start_child(BY_FORK, ask_for_ninety);

	(void)state;
	assert_refused(vms_budget_charge(budget, 50 * PAGE), ENOMEM);
	charge(budget, 10 * PAGE);
	kill_child(&child);
	charge(budget, 50 * PAGE);
	bury(&child);
}

/* Leave the slot as a process does that is stopped while it changes an object. */
static int begin_a_change(void)
{
	atomic_store(&budget->shared->slots[budget->slot].changing, 1);
	return 0;
}

static void one_that_is_in_a_change_for_ever_is_not_waited_for(void **state)
{
	struct child child = start_child(BY_FORK, begin_a_change);

	(void)state;
	charge(budget, 50 * PAGE);
	assert_refused(vms_budget_charge(budget, 51 * PAGE), ENOMEM);
	kill_child(&child);
	charge(budget, 50 * PAGE);
	assert_int_equal(charged_pages(), 100);
	/*
	 * The dead process's slot is cleared, so the next reader gets an exact sum.
	 */
	assert_true(vmsi_places_sum(budget, 2, NULL).is_exact);
	bury(&child);
}

/* A private budget below a shared one is this process's own part of it. */
static void it_can_be_a_parent(void **state)
{
	vms_budget *part = open_strict(30 * PAGE, budget);

	(void)state;
	charge(part, 30 * PAGE);
	assert_refused(vms_budget_charge(part, 1), ENOMEM);
	assert_int_equal(stats_of(part).refusals, 1);
	charge(budget, 60 * PAGE);
	uncharge(part, 10 * PAGE);
	assert_int_equal(charged_pages(), 80);
	charge(budget, 15 * PAGE);
	assert_refused(vms_budget_charge(part, 10 * PAGE), ENOMEM);
	assert_int_equal(stats_of(part).committed, 20 * PAGE);
	assert_int_equal(stats_of(budget).refusals, 1);
	assert_refused(vms_budget_close(budget), EBUSY);
	close_budget(part);
	assert_int_equal(charged_pages(), 75);
}

static void other_policies_are_kept_too(void **state)
{
	vms_budget *each = open_shared(100, VMS_COMMIT_HEURISTIC);
	vms_budget *any = open_shared(100, VMS_COMMIT_ALWAYS);

	(void)state;
	charge(each, 100);
	charge(each, 100);
	assert_refused(vms_budget_charge(each, 101), ENOMEM);
	assert_int_equal(stats_of(each).committed_peak, 200);
	charge(any, SIZE_MAX - 10);
	assert_refused(vms_budget_charge(any, 11), ENOMEM);
	assert_int_equal(stats_of(any).committed, SIZE_MAX - 10);
	close_budget(each);
	close_budget(any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARED(what_one_charges_the_others_see),
		WITH_SHARED(a_killed_process_gives_its_charge_back),
		WITH_SHARED(one_that_is_killed_while_it_asks_holds_nobody_up),
		WITH_SHARED(one_that_asks_for_ever_is_not_waited_for),
		WITH_SHARED(one_that_is_in_a_change_for_ever_is_not_waited_for),
		WITH_SHARED(it_can_be_a_parent),
		cmocka_unit_test(other_policies_are_kept_too),
	};

	return cmocka_run_group_tests_name("budget_shared", tests, NULL, NULL);
}
