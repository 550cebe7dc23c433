/* SPDX-License-Identifier: MIT */
#include "budget_fixture.h"
#include "host/host.h"

/* Limits, policies, parents and callbacks, with charges made by hand. */

/* --- one budget ---------------------------------------------------------- */

static void strict_refuses_the_sum(void **state)
{
	vms_budget *budget = open_strict(100, NULL);

	(void)state;
	charge(budget, 60);
	assert_refused(vms_budget_charge(budget, 41), ENOMEM);
	assert_int_equal(stats_of(budget).committed, 60);
	charge(budget, 40);
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	uncharge(budget, 100);
	assert_int_equal(stats_of(budget).committed, 0);
	assert_int_equal(stats_of(budget).committed_peak, 100);
	assert_int_equal(stats_of(budget).refusals, 2);
	assert_int_equal(stats_of(budget).policy, VMS_COMMIT_STRICT);
	assert_int_equal(stats_of(budget).processes, 1);
	close_budget(budget);
}

static void heuristic_refuses_a_single_request(void **state)
{
	vms_budget *budget = open_budget(100, VMS_COMMIT_HEURISTIC, NULL);

	(void)state;
	for (int i = 0; i < 3; i++)
		charge(budget, 100);
	assert_refused(vms_budget_charge(budget, 101), ENOMEM);
	assert_int_equal(stats_of(budget).committed, 300);
	close_budget(budget);
}

static void always_refuses_nothing_but_a_sum_that_wraps(void **state)
{
	vms_budget *budget = open_budget(100, VMS_COMMIT_ALWAYS, NULL);

	(void)state;
	charge(budget, SIZE_MAX - 10);
	charge(budget, 10);
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	close_budget(budget);
}

static void only_what_was_charged_by_hand_is_uncharged(void **state)
{
	vms_budget *parent = open_strict(100, NULL);
	vms_budget *child = open_strict(100, parent);

	(void)state;
	charge(parent, 10);
	charge(child, 30);
	assert_refused(vms_budget_uncharge(child, 31), EINVAL);
	/* Of the parent's 40, the child has charged 30. */
	assert_refused(vms_budget_uncharge(parent, 11), EINVAL);
	assert_int_equal(stats_of(parent).committed, 40);
	uncharge(parent, 10);
	uncharge(child, 30);
	assert_int_equal(stats_of(parent).committed, 0);
	close_budget(child);
	close_budget(parent);
}

static void a_limit_can_change(void **state)
{
	vms_budget *budget = open_strict(100, NULL);
	size_t machine;

	(void)state;
	charge(budget, 80);
	assert_int_equal(vms_budget_set_limit(budget, 50), 0);
	assert_int_equal(stats_of(budget).limit, 50);
	assert_int_equal(stats_of(budget).committed, 80);
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	uncharge(budget, 40);
	charge(budget, 10);
	assert_int_equal(vms_budget_set_limit(budget, 200), 0);
	charge(budget, 150);
	assert_int_equal(vms_budget_set_limit(budget, 0), 0);
	assert_int_equal(vmsi_host.memory_size(&machine), 0);
	assert_int_equal(stats_of(budget).limit, machine);
	close_budget(budget);
}

static void options_have_defaults(void **state)
{
	vms_budget *budget = vms_budget_open(NULL);
	size_t machine;

	(void)state;
	assert_non_null(budget);
	assert_int_equal(vmsi_host.memory_size(&machine), 0);
	assert_int_equal(stats_of(budget).limit, machine);
	assert_int_equal(stats_of(budget).policy, VMS_COMMIT_HEURISTIC);
	assert_string_equal(vms_budget_name(budget), "");
	assert_refused(vms_budget_fd(budget), EINVAL);
	close_budget(budget);
}

static void a_name_is_copied(void **state)
{
	char name[VMS_NAME_MAX + 1];
	struct vms_budget_options options = {
		.struct_size = sizeof(options),
		.name = name,
	};
	vms_budget *budget;

	(void)state;
	memset(name, 'n', VMS_NAME_MAX);
	name[VMS_NAME_MAX] = '\0';
	budget = vms_budget_open(&options);
	assert_non_null(budget);
	memset(name, 'x', 5);
	assert_int_equal(strlen(vms_budget_name(budget)), VMS_NAME_MAX);
	assert_int_equal(vms_budget_name(budget)[0], 'n');
	close_budget(budget);
}

static void expect_bad(const struct vms_budget_options *options)
{
	errno = 0;
	assert_null(vms_budget_open(options));
	assert_int_equal(errno, EINVAL);
}

static void unknown_arguments_are_refused(void **state)
{
	vms_budget *budget = open_strict(100, NULL);
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) - 1 };
	struct vms_budget_options good = { .struct_size = sizeof(good) };
	struct vms_budget_options bad = good;
	char name[VMS_NAME_MAX + 2];

	(void)state;
	bad.struct_size--;
	expect_bad(&bad);
	bad = good;
	bad.policy = (enum vms_commit_policy)3;
	expect_bad(&bad);
	bad = good;
	bad.flags = 0x2;
	expect_bad(&bad);
	bad = good;
	bad.flags = VMS_BUDGET_SHARED;
	bad.parent = budget;
	expect_bad(&bad);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	bad = good;
	bad.name = name;
	expect_bad(&bad);
	assert_refused(vms_budget_get_stats(budget, &stats), EINVAL);
	assert_refused(vms_budget_get_stats(budget, NULL), EINVAL);
	assert_refused(vms_budget_get_stats(NULL, &stats), EINVAL);
	assert_refused(vms_budget_charge(NULL, 1), EINVAL);
	assert_refused(vms_budget_uncharge(NULL, 1), EINVAL);
	assert_refused(vms_budget_set_limit(NULL, 1), EINVAL);
	assert_refused(vms_budget_set_callback(NULL, NULL, NULL), EINVAL);
	assert_refused(vms_budget_fd(NULL), EINVAL);
	assert_refused(vms_budget_close(NULL), EINVAL);
	close_budget(budget);
}

/* --- parents ------------------------------------------------------------- */

static void a_charge_fits_at_all_levels_or_is_made_at_none(void **state)
{
	vms_budget *top = open_strict(100, NULL);
	vms_budget *middle = open_strict(1000, top);
	vms_budget *low = open_strict(70, middle);
	vms_budget *other = open_strict(70, middle);

	(void)state;
	charge(low, 60);
	assert_int_equal(stats_of(middle).committed, 60);
	assert_int_equal(stats_of(top).committed, 60);
	/* The top budget refuses; its peak and all charges stay. */
	assert_refused(vms_budget_charge(other, 41), ENOMEM);
	assert_int_equal(stats_of(other).committed, 0);
	assert_int_equal(stats_of(other).refusals, 0);
	assert_int_equal(stats_of(middle).committed, 60);
	assert_int_equal(stats_of(middle).committed_peak, 60);
	assert_int_equal(stats_of(top).refusals, 1);
	/* The lowest refuses. */
	assert_refused(vms_budget_charge(low, 11), ENOMEM);
	assert_int_equal(stats_of(low).refusals, 1);
	assert_int_equal(stats_of(top).committed_peak, 60);
	charge(other, 40);
	assert_int_equal(stats_of(top).committed, 100);
	uncharge(low, 60);
	assert_int_equal(stats_of(top).committed, 40);
	close_budget(low);
	close_budget(other);
	assert_int_equal(stats_of(top).committed, 0);
	close_budget(middle);
	close_budget(top);
}

static void a_parent_is_not_closed_before_its_children(void **state)
{
	vms_budget *parent = open_strict(100, NULL);
	vms_budget *child = open_strict(100, parent);

	(void)state;
	charge(child, 5);
	assert_refused(vms_budget_close(parent), EBUSY);
	assert_int_equal(stats_of(parent).committed, 5);
	close_budget(child);
	assert_int_equal(stats_of(parent).committed, 0);
	close_budget(parent);
}

/* --- callbacks ----------------------------------------------------------- */

struct room_maker {
	vms_budget *budget;     /* the budget that is uncharged */
	size_t step;            /* bytes uncharged in each call */
	unsigned calls;
	size_t bytes;           /* number of the call for the latest request */
	unsigned attempt;
	vms_budget *asked;
	bool gives_up;          /* uncharges, and yet returns false */
};

static bool make_room(vms_budget *budget, size_t bytes, unsigned attempt,
		      void *context)
{
	struct room_maker *maker = context;

	assert_int_equal(attempt, maker->calls);
	maker->calls++;
	maker->asked = budget;
	maker->bytes = bytes;
	maker->attempt = attempt;
	errno = E2BIG;
	if (maker->step)
		assert_int_equal(vms_budget_uncharge(maker->budget,
						     maker->step), 0);
	errno = E2BIG;
	return !maker->gives_up;
}

static void a_callback_makes_room(void **state)
{
	vms_budget *budget = open_strict(100, NULL);
	struct room_maker maker = { .budget = budget, .step = 10 };

	(void)state;
	charge(budget, 90);
	assert_int_equal(vms_budget_set_callback(budget, make_room, &maker), 0);
	/*
	 * The budget must call it twice, and must not show the errno that it sets.
	 */
	charge(budget, 30);
	assert_int_equal(maker.calls, 2);
	assert_int_equal(maker.bytes, 30);
	assert_ptr_equal(maker.asked, budget);
	assert_int_equal(stats_of(budget).committed, 100);
	/* A request that a callback made fit is not counted as a refusal. */
	assert_int_equal(stats_of(budget).refusals, 0);
	/* The budget does not call it for a request that fits. */
	uncharge(budget, 50);
	charge(budget, 50);
	assert_int_equal(maker.calls, 2);
	close_budget(budget);
}

static void a_callback_is_asked_so_often_and_no_more(void **state)
{
	vms_budget *budget = open_strict(100, NULL);
	struct room_maker maker = { .budget = budget };

	(void)state;
	charge(budget, 100);
	assert_int_equal(vms_budget_set_callback(budget, make_room, &maker), 0);
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	assert_int_equal(maker.calls, VMS_BUDGET_ATTEMPTS);
	assert_int_equal(stats_of(budget).refusals, 1);
	/* The budget numbers its calls from 0 again for the next request. */
	maker.calls = 0;
	maker.gives_up = true;
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	assert_int_equal(maker.calls, 1);
	assert_int_equal(stats_of(budget).refusals, 2);
	assert_int_equal(vms_budget_set_callback(budget, NULL, NULL), 0);
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	assert_int_equal(maker.calls, 1);
	close_budget(budget);
}

static void levels_are_asked_up_to_the_one_that_refuses(void **state)
{
	vms_budget *top = open_strict(1000, NULL);
	vms_budget *middle = open_strict(100, top);
	vms_budget *low = open_strict(1000, middle);
	struct room_maker makers[3] = {
		{ .budget = low, .gives_up = true },
		{ .budget = middle, .step = 40 },
		{ .budget = top },
	};

	(void)state;
	charge(middle, 40);
	charge(low, 60);
	assert_int_equal(vms_budget_set_callback(low, make_room, &makers[0]),
			 0);
	assert_int_equal(vms_budget_set_callback(middle, make_room, &makers[1]),
			 0);
	assert_int_equal(vms_budget_set_callback(top, make_room, &makers[2]),
			 0);
	charge(low, 40);
	assert_int_equal(makers[0].calls, 1);
	assert_int_equal(makers[1].calls, 1);
	assert_ptr_equal(makers[1].asked, middle);
	assert_int_equal(makers[2].calls, 0);
	close_budget(low);
	close_budget(middle);
	close_budget(top);
}

static unsigned depth, deepest;

/* Charge from within the callback: refused without another call. */
static bool ask_for_more(vms_budget *budget, size_t bytes, unsigned attempt,
			 void *context)
{
	(void)attempt;
	(void)context;
	if (++depth > deepest)
		deepest = depth;
	assert_refused(vms_budget_charge(budget, bytes), ENOMEM);
	depth--;
	return false;
}

static void a_callback_is_not_called_from_a_callback(void **state)
{
	vms_budget *budget = open_strict(10, NULL);

	(void)state;
	assert_int_equal(vms_budget_set_callback(budget, ask_for_more, NULL),
			 0);
	assert_refused(vms_budget_charge(budget, 11), ENOMEM);
	assert_int_equal(deepest, 1);
	assert_int_equal(stats_of(budget).refusals, 2);
	/* The budget calls it again for the next request. */
	deepest = 0;
	assert_refused(vms_budget_charge(budget, 11), ENOMEM);
	assert_int_equal(deepest, 1);
	close_budget(budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict_refuses_the_sum),
		cmocka_unit_test(heuristic_refuses_a_single_request),
		cmocka_unit_test(always_refuses_nothing_but_a_sum_that_wraps),
		cmocka_unit_test(only_what_was_charged_by_hand_is_uncharged),
		cmocka_unit_test(a_limit_can_change),
		cmocka_unit_test(options_have_defaults),
		cmocka_unit_test(a_name_is_copied),
		cmocka_unit_test(unknown_arguments_are_refused),
		cmocka_unit_test(
			a_charge_fits_at_all_levels_or_is_made_at_none),
		cmocka_unit_test(a_parent_is_not_closed_before_its_children),
		cmocka_unit_test(a_callback_makes_room),
		cmocka_unit_test(a_callback_is_asked_so_often_and_no_more),
		cmocka_unit_test(levels_are_asked_up_to_the_one_that_refuses),
		cmocka_unit_test(a_callback_is_not_called_from_a_callback),
	};

	return cmocka_run_group_tests_name("budget_basic", tests, NULL, NULL);
}
