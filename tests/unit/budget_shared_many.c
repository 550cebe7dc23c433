/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "budget/budget.h"
#include "budget_shared.h"

/* Many processes that charge one shared budget at the same time. */

#define HOGS 6
#define CHARGES 20000

/* Pages that processes have charged now, added up by themselves; shared by all. */
static _Atomic size_t *held;

static int hog(unsigned seed)
{
	unsigned granted = 0;

	for (unsigned i = 0; i < CHARGES; i++) {
		size_t pages = 1 + (seed * 31 + i * 7) % 60;

		if (vms_budget_charge(budget, pages * PAGE) != 0)
			continue;
		granted++;
		if (atomic_fetch_add(held, pages) + pages > 100)
			return 1;
		atomic_fetch_sub(held, pages);
		if (vms_budget_uncharge(budget, pages * PAGE) != 0)
			return 2;
	}
	return granted ? 0 : 3;
}

static void run_hogs(int (*act)(unsigned seed))
{
	pid_t hogs[HOGS];

	for (unsigned i = 0; i < HOGS; i++) {
		hogs[i] = fork();
		assert_true(hogs[i] >= 0);
		if (hogs[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(act(i));
		}
	}
	for (unsigned i = 0; i < HOGS; i++) {
		int status;

		assert_int_equal(waitpid(hogs[i], &status, 0), hogs[i]);
		assert_int_equal(status, 0);
	}
}

static void the_limit_holds_at_every_instant(void **state)
{
	(void)state;
	held = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(held, MAP_FAILED);
	run_hogs(hog);
	assert_int_equal(charged_pages(), 0);
	assert_true(stats_of(budget).committed_peak <= 100 * PAGE);
	assert_true(stats_of(budget).committed_peak >= 60 * PAGE);
	munmap(held, PAGE);
}

static int modest_hog(unsigned seed)
{
	(void)seed;
	for (unsigned i = 0; i < CHARGES; i++)
		if (vms_budget_charge(budget, 100 / HOGS * PAGE) != 0 ||
		    vms_budget_uncharge(budget, 100 / HOGS * PAGE) != 0)
			return 1;
	return 0;
}

/* A request that fits beside all others must be granted. */
static void what_always_fits_is_never_refused(void **state)
{
	(void)state;
	run_hogs(modest_hog);
	assert_int_equal(stats_of(budget).refusals, 0);
}

/* --- objects that change hands ------------------------------------------------ */

#define OBJECTS 4
#define OBJECT_STEPS 60000

/* Holders of each object, noted while it is held; never more than there are. */
static struct {
	atomic_flag lock;
	unsigned holders[OBJECTS];
	size_t pages;
	_Atomic unsigned started;
	bool is_broken;
} *known;

static size_t object_pages(unsigned object)
{
	return 25 + 5 * (size_t)object;
}

static void note(unsigned object, bool taken)
{
	size_t pages = object_pages(object);

	while (atomic_flag_test_and_set(&known->lock))
		sched_yield();
	if (taken && known->holders[object]++ == 0)
		known->pages += pages;
	if (!taken && --known->holders[object] == 0)
		known->pages -= pages;
	known->is_broken |= known->pages > 100;
	atomic_flag_clear(&known->lock);
}

/*
 * Take and release a random object while other processes do the same: one may take
 * over an object that another releases, and a third may take what that uncharged.
 * This calls what spaces call, but maps nothing in between. All processes start
 * together.
 */
static int object_hog(unsigned seed)
{
	unsigned granted = 0, turn = seed;

	atomic_fetch_add(&known->started, 1);
	while (atomic_load(&known->started) < HOGS)
		sched_yield();
	for (unsigned i = 0; i < OBJECT_STEPS; i++) {
		unsigned object = (turn = turn * 1103515245u + 12345u) / 65536 %
			OBJECTS;
		const struct vmsi_hold hold = {
			.id = { 1, object },
			.bytes = object_pages(object) * PAGE,
		};

		if (vmsi_budget_upper.hold(budget, &hold, 0) != 0)
			continue;
		granted++;
		note(object, true);
		note(object, false);
		vmsi_budget_upper.release(budget, hold.id);
	}
	return granted ? 0 : 3;
}

static void an_object_on_its_way_is_seen_by_all(void **state)
{
	(void)state;
	known = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(known, MAP_FAILED);
	run_hogs(object_hog);
	assert_false(known->is_broken);
	assert_int_equal(charged_pages(), 0);
	assert_true(stats_of(budget).committed_peak <= 100 * PAGE);
	munmap(known, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARED(the_limit_holds_at_every_instant),
		WITH_SHARED(what_always_fits_is_never_refused),
		WITH_SHARED(an_object_on_its_way_is_seen_by_all),
	};

	return cmocka_run_group_tests_name("budget_shared_many", tests, NULL, NULL);
}
