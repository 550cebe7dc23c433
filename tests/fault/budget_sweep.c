/* SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "budget_sweep.h"
#include "snapshot.h"

/*
 * Every host call of opening, closing, charging and forking a budget is failed in
 * turn, once and from then on. A call that fails leaves nothing behind.
 */

#define ERRNO_BEFORE 4711

static const enum fault_mode modes[] = { FAULT_ONCE, FAULT_FROM };
#define MODES (sizeof(modes) / sizeof(modes[0]))

static vms_budget *shared;

static vms_budget *join(void)
{
	return vms_budget_from_fd(vms_budget_fd(shared));
}

static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* --- open and close ------------------------------------------------------ */

static const struct way {
	const char *name;
	vms_budget *(*open)(void);
} ways[] = {
	{ "private", open_private },
	{ "shared", open_shared },
	{ "joined", join },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* The result of a plan. */
struct attempt {
	bool made;      /* the plan's call was made */
	bool leaked;    /* addresses were left behind */
};

static struct attempt try_open_once(const struct way *way,
				    const struct fault_plan *plan)
{
	const size_t before = process_bytes();
	const int fd = lowest_fd();
	struct fault_result result;
	vms_budget *budget;
	int error;

	errno = ERRNO_BEFORE;
	fault_begin(plan);
	budget = way->open();
	result = fault_end();
	error = errno;
	if (budget) {
		assert_int_equal(error, ERRNO_BEFORE);
		assert_int_equal(vms_budget_charge(budget, 10), 0);
		assert_int_equal(charged(budget), 10);
		assert_int_equal(vms_budget_close(budget), 0);
	} else {
		assert_int_not_equal(error, ERRNO_BEFORE);
		assert_true(error > 0 && error < 4096);
	}
	fault_sweep_refused(0, 0);
	assert_int_equal(lowest_fd(), fd);
	assert_int_equal(charged(shared), 0);
	return (struct attempt){ result.calls >= plan->n,
				 process_bytes() != before };
}

/*
 * Return whether the plan's call was made. The C library may map memory too, though
 * not each time, so a leak must be seen four times.
 */
static bool try_open(const struct way *way, const struct fault_plan *plan)
{
	struct attempt attempt = try_open_once(way, plan);

	for (int i = 0; attempt.leaked && i < 3; i++)
		attempt = try_open_once(way, plan);
	if (attempt.leaked)
		fail_msg("%s, host call %u: addresses were left behind",
			 way->name, plan->n);
	return attempt.made;
}

static void what_cannot_be_opened_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < WAYS; i++)
		for (size_t mode = 0; mode < MODES; mode++)
			for (enum fault_errno which = 0; which < FAULT_ERRNOS;
			     which++) {
				struct fault_plan plan = {
					.mode = modes[mode],
					.which = which,
				};

				do
					assert_true(++plan.n < CALLS_MAX);
				while (try_open(&ways[i], &plan));
			}
}

static bool try_close(const struct way *way, const struct fault_plan *plan)
{
	const int fd = lowest_fd();
	vms_budget *budget = way->open();
	struct fault_result result;
	int status;

	assert_non_null(budget);
	assert_int_equal(vms_budget_charge(budget, 10), 0);
	fault_begin(plan);
	status = vms_budget_close(budget);
	result = fault_end();
	assert_int_equal(status, 0);
	fault_sweep_refused(0, 0);
	assert_int_equal(lowest_fd(), fd);
	/* The charge is undone, whatever the host refused. */
	assert_int_equal(charged(shared), 0);
	return result.calls >= plan->n;
}

static void closing_succeeds_whatever_the_host_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < WAYS; i++)
		for (size_t mode = 0; mode < MODES; mode++) {
			struct fault_plan plan = { .mode = modes[mode] };

			do
				assert_true(++plan.n < CALLS_MAX);
			while (try_close(&ways[i], &plan));
		}
}

/* --- charging ------------------------------------------------------------ */

/* Let a process charge 600 and end. */
static void leave_a_charge(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(vms_budget_charge(shared, 600) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static bool try_charge(const struct fault_plan *plan)
{
	struct fault_result result;
	int status;

	leave_a_charge();
	fault_begin(plan);
	status = vms_budget_charge(shared, 500);
	result = fault_end();
	/* If the host refuses to tell, the next charge finds the dead process. */
	assert_true(status == 0 || (errno == ENOMEM && result.failed));
	assert_int_equal(charged(shared), status == 0 ? 500 : 0);
	if (status == 0)
		assert_int_equal(vms_budget_uncharge(shared, 500), 0);
	assert_int_equal(vms_budget_charge(shared, 1000), 0);
	assert_int_equal(vms_budget_uncharge(shared, 1000), 0);
	return result.calls >= plan->n;
}

static void a_charge_is_made_or_not(void **state)
{
	(void)state;
	for (size_t mode = 0; mode < MODES; mode++) {
		struct fault_plan plan = { .mode = modes[mode] };

		do
			assert_true(++plan.n < CALLS_MAX);
		while (try_charge(&plan));
	}
}

/* --- fork ---------------------------------------------------------------- */

enum child_end { NO_SUCH_CALL, WELL, UNSOUND };

/* A child that got no slot is refused until it gets one. */
static enum child_end judge_child(const struct fault_plan *plan)
{
	struct fault_result result = fault_end();
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	if (vms_budget_charge(shared, 5) != 0 ||
	    vms_budget_get_stats(shared, &stats) != 0 ||
	    stats.committed_here != 105 || stats.committed != 205 ||
	    vms_budget_uncharge(shared, 105) != 0 || charged(shared) != 100)
		return UNSOUND;
	return result.calls >= plan->n ? WELL : NO_SUCH_CALL;
}

static enum child_end try_fork(const struct fault_plan *plan)
{
	int status;
	pid_t child;

	fault_begin(plan);
	child = fork();
	if (child == 0) {
		/* While the host refuses everything, so must the budget. */
		if (plan->mode == FAULT_FROM && plan->n == 1 &&
		    vms_budget_charge(shared, 5) == 0)
			_exit(UNSOUND);
		_exit(judge_child(plan));
	}
	fault_end();
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return (enum child_end)WEXITSTATUS(status);
}

static void a_child_joins_as_soon_as_it_can(void **state)
{
	(void)state;
	assert_int_equal(vms_budget_charge(shared, 100), 0);
	for (size_t mode = 0; mode < MODES; mode++) {
		struct fault_plan plan = { .mode = modes[mode] };
		enum child_end end;

		do {
			assert_true(++plan.n < CALLS_MAX);
			end = try_fork(&plan);
			if (end == UNSOUND)
				fail_msg("host call %u failed (mode %d)",
					 plan.n, (int)plan.mode);
		} while (end == WELL);
	}
	assert_int_equal(vms_budget_uncharge(shared, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_opened_leaves_nothing),
		cmocka_unit_test(closing_succeeds_whatever_the_host_says),
		cmocka_unit_test(a_charge_is_made_or_not),
		cmocka_unit_test(a_child_joins_as_soon_as_it_can),
	};

	shared = open_shared();
	fault_install();
	return cmocka_run_group_tests_name("budget_sweep", tests, NULL, NULL);
}
