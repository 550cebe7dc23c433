/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget_fixture.h"
#include "host/host.h"

/* Budgets that are opened and closed while callbacks run. */

/* A wait that would have no end is ended by SIGALRM. */
#define WAIT_MOST_S 60

/* --- two that close each other's ------------------------------------------------------ */

struct closer {
	pthread_t thread;
	vms_budget *top;       /* refuses, and asks the callback of the budget */
	vms_budget *budget, *other;
	int error;             /* of the close of the other one */
};

static pthread_barrier_t both;

static bool close_other(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	struct closer *closer = context;

	(void)budget;
	(void)bytes;
	(void)attempt;
	(void)pthread_barrier_wait(&both);
	closer->error = vms_budget_close(closer->other) == -1 ? errno : 0;
	(void)pthread_barrier_wait(&both);
	return false;
}

static void *be_refused(void *budget)
{
	assert_refused(vms_budget_charge(budget, SIZE_MAX / 2), ENOMEM);
	return NULL;
}

static void open_closer(struct closer *closer)
{
	closer->top = open_strict(10, NULL);
	closer->budget = open_strict(10, closer->top);
	assert_int_equal(vms_budget_set_callback(closer->budget, close_other, closer), 0);
}

static void callbacks_do_not_wait_for_each_other(void **unused)
{
	struct closer one, two;

	(void)unused;
	open_closer(&one);
	open_closer(&two);
	one.other = two.budget;
	two.other = one.budget;
	assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
	(void)alarm(WAIT_MOST_S);
	assert_int_equal(pthread_create(&one.thread, NULL, be_refused, one.top), 0);
	assert_int_equal(pthread_create(&two.thread, NULL, be_refused, two.top), 0);
	assert_int_equal(pthread_join(one.thread, NULL), 0);
	assert_int_equal(pthread_join(two.thread, NULL), 0);
	(void)alarm(0);
	assert_int_equal(one.error, EBUSY);
	assert_int_equal(two.error, EBUSY);
	assert_int_equal(pthread_barrier_destroy(&both), 0);
	close_budget(one.budget);
	close_budget(one.top);
	close_budget(two.budget);
	close_budget(two.top);
}

/* --- one that runs beside a close ------------------------------------------------------ */

static atomic_bool is_in_callback, somebody_waits;
static long (*real_futex_wait)(const void *word, uint32_t seen, uint64_t nanoseconds);

static long note_wait(const void *word, uint32_t seen, uint64_t nanoseconds)
{
	atomic_store(&somebody_waits, true);
	return real_futex_wait(word, seen, nanoseconds);
}

struct beside {
	pthread_t thread;
	vms_budget *top;       /* refuses, and asks the callback of the budget */
	vms_budget *budget;
	vms_budget *opened;    /* by the callback, below the budget */
	bool is_child;         /* the callback has forked, and this is the child */
	pid_t child;
	unsigned calls;
};

static void await_close(void)
{
	atomic_store(&is_in_callback, true);
	while (!atomic_load(&somebody_waits))
		(void)sched_yield();
}

static bool open_below(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	struct beside *beside = context;

	(void)bytes;
	(void)attempt;
	if (beside->calls++ == 0) {
		await_close();
		beside->opened = open_strict(SIZE_MAX, budget);
	}
	return false;
}

static bool fork_beside(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	struct beside *beside = context;

	(void)budget;
	(void)bytes;
	(void)attempt;
	if (beside->calls++ == 0) {
		await_close();
		beside->child = fork();
		beside->is_child = beside->child == 0;
	}
	return false;
}

/* In the child nobody closes the budget, and its callback is asked again. */
static void *be_refused_beside(void *context)
{
	struct beside *beside = context;

	(void)be_refused(beside->top);
	if (!beside->is_child)
		return NULL;
	(void)be_refused(beside->top);
	_exit(beside->calls == 2 && vms_budget_close(beside->budget) == 0 ? 0 : 1);
}

/* Returns what a close answers that waits for the callback of another thread. */
static int close_beside(struct beside *beside, vms_budget_callback callback)
{
	int error;

	*beside = (struct beside){ .top = open_strict(10, NULL) };
	beside->budget = open_strict(SIZE_MAX, beside->top);
	atomic_store(&is_in_callback, false);
	atomic_store(&somebody_waits, false);
	assert_int_equal(vms_budget_set_callback(beside->budget, callback, beside), 0);
	assert_int_equal(pthread_create(&beside->thread, NULL, be_refused_beside, beside), 0);
	while (!atomic_load(&is_in_callback))
		(void)sched_yield();
	real_futex_wait = vmsi_host.futex_wait;
	vmsi_host.futex_wait = note_wait;
	error = vms_budget_close(beside->budget) == -1 ? errno : 0;
	vmsi_host.futex_wait = real_futex_wait;
	assert_int_equal(pthread_join(beside->thread, NULL), 0);
	return error;
}

static void what_the_callback_opened_keeps_the_budget(void **unused)
{
	struct beside beside;

	(void)unused;
	assert_int_equal(close_beside(&beside, open_below), EBUSY);
	/* All is as before. */
	charge(beside.opened, 4);
	assert_int_equal(stats_of(beside.budget).committed, 4);
	assert_refused(vms_budget_charge(beside.opened, 7), ENOMEM);
	assert_int_equal(beside.calls, 2);
	close_budget(beside.opened);
	close_budget(beside.budget);
	close_budget(beside.top);
}

static void a_child_has_the_callback_of_what_its_parent_closes(void **unused)
{
	struct beside beside;
	int status;

	(void)unused;
	assert_int_equal(close_beside(&beside, fork_beside), 0);
	assert_true(beside.child > 0);
	assert_int_equal(waitpid(beside.child, &status, 0), beside.child);
	assert_int_equal(status, 0);
	close_budget(beside.top);
}

/* --- one that opens others like it --------------------------------------------------- */

/* Enough that a round which asks them as well is seen. */
#define OPENED_MOST 100

struct opener {
	vms_budget *opened[OPENED_MOST];
	size_t count;
};

static bool open_another(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	struct opener *opener = context;
	vms_budget *another;

	(void)bytes;
	(void)attempt;
	if (opener->count == OPENED_MOST)
		return false;
	another = open_strict(10, budget);
	assert_int_equal(vms_budget_set_callback(another, open_another, context), 0);
	opener->opened[opener->count++] = another;
	return false;
}

static void what_is_opened_meanwhile_is_not_asked(void **unused)
{
	vms_budget *top = open_strict(10, NULL);
	struct opener opener = { .count = 0 };

	(void)unused;
	assert_int_equal(vms_budget_set_callback(top, open_another, &opener), 0);
	assert_refused(vms_budget_charge(top, 11), ENOMEM);
	assert_int_equal(opener.count, 1);
	/* The next request asks both. */
	assert_refused(vms_budget_charge(top, 11), ENOMEM);
	assert_int_equal(opener.count, 3);
	while (opener.count > 0)
		close_budget(opener.opened[--opener.count]);
	close_budget(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callbacks_do_not_wait_for_each_other),
		cmocka_unit_test(what_the_callback_opened_keeps_the_budget),
		cmocka_unit_test(a_child_has_the_callback_of_what_its_parent_closes),
		cmocka_unit_test(what_is_opened_meanwhile_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
