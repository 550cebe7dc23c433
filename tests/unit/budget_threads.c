/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget/budget.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "budget_fixture.h"
#include "host/host.h"

/* Many threads charge one tree of budgets, by hand and by spaces. */

#define THREADS 4
#define STEPS 2000
#define PAGE vmsi_page_size()

static vms_budget *top;
static _Atomic size_t held;      /* pages that threads have charged now */
static _Atomic unsigned refused, asked, broken;

static bool make_no_room(vms_budget *budget, size_t bytes, unsigned attempt,
			 void *context)
{
	(void)budget;
	(void)bytes;
	(void)context;
	atomic_fetch_add(&asked, 1);
	return attempt == 0;
}

static void hold(size_t pages)
{
	if (atomic_fetch_add(&held, pages) + pages > 100)
		atomic_fetch_add(&broken, 1);
	atomic_fetch_sub(&held, pages);
}

static void charge_by_hand(vms_budget *part, size_t pages)
{
	if (vms_budget_charge(part, pages * PAGE) != 0) {
		atomic_fetch_add(&refused, 1);
		return;
	}
	hold(pages);
	if (vms_budget_uncharge(part, pages * PAGE) != 0)
		atomic_fetch_add(&broken, 1);
}

static void charge_by_space(vms_space *space, size_t pages)
{
	void *memory = vms_mmap(space, NULL, pages * PAGE,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		atomic_fetch_add(&refused, 1);
		return;
	}
	hold(pages);
	if (vms_munmap(space, memory, pages * PAGE) != 0)
		atomic_fetch_add(&broken, 1);
}

static int common_file;

#define FILE_PAGES 30

/* All threads map this file; the top budget must be charged for it once. */
static void hold_file(vms_space *space)
{
	void *memory = vms_mmap(space, NULL, PAGE, PROT_READ, MAP_SHARED,
				common_file, 0);

	if (memory == MAP_FAILED)
		atomic_fetch_add(&refused, 1);
	else if (vms_munmap(space, memory, PAGE) != 0)
		atomic_fetch_add(&broken, 1);
}

static void *work(void *context)
{
	const size_t number = (size_t)context;
	vms_budget *part = vms_budget_open(&(struct vms_budget_options){
		.struct_size = sizeof(struct vms_budget_options),
		.limit = 80 * PAGE,
		.policy = VMS_COMMIT_STRICT,
		.parent = top,
	});
	vms_space *space = vms_space_open(
		1000 * PAGE, &(struct vms_space_options){
			.struct_size = sizeof(struct vms_space_options),
			.commit_policy = VMS_COMMIT_ALWAYS,
			.budget = part,
		});
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	for (size_t i = 0; i < STEPS && part && space; i++) {
		size_t pages = 1 + (number * 31 + i * 7) % 60;

		if (i % 2)
			charge_by_hand(part, pages);
		else
			charge_by_space(space, pages);
		hold_file(space);
		if (i % 100 == number)
			(void)vms_budget_set_callback(
				top, i % 200 < 100 ? make_no_room : NULL, NULL);
		if (vms_budget_get_stats(top, &stats) != 0 ||
		    stats.committed > 100 * PAGE)
			atomic_fetch_add(&broken, 1);
	}
	if (!part || !space || vms_space_close(space) != 0 ||
	    vms_budget_close(part) != 0)
		atomic_fetch_add(&broken, 1);
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[THREADS];

	common_file = memfd_create("object", MFD_CLOEXEC);
	assert_true(common_file >= 0);
	assert_int_equal(ftruncate(common_file, (off_t)(FILE_PAGES * PAGE)), 0);
	atomic_store(&refused, 0);
	atomic_store(&asked, 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work,
						(void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&broken), 0);
	assert_int_equal(stats_of(top).committed, 0);
	assert_true(stats_of(top).committed_peak <= 100 * PAGE);
	close(common_file);
	print_message("# %u refused, %u asked\n", atomic_load(&refused),
		      atomic_load(&asked));
}

static void threads_keep_to_one_limit(void **state)
{
	(void)state;
	top = open_strict(100 * PAGE, NULL);
	run_threads();
	close_budget(top);
}

static void threads_keep_to_a_limit_that_is_shared(void **state)
{
	(void)state;
	top = open_shared(100 * PAGE, VMS_COMMIT_STRICT);
	run_threads();
	close_budget(top);
}

/* Fork while other threads charge; the child must find the tree whole. */
static void *fork_now_and_then(void *context)
{
	_Atomic bool *done = context;

	while (!atomic_load(done)) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			size_t before = stats_of(top).committed_here;

			if (before < 10 * PAGE ||
			    vms_budget_charge(top, 0) != 0 ||
			    stats_of(top).committed_here != before)
				_exit(1);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child ||
		    status != 0)
			atomic_fetch_add(&broken, 1);
		usleep(5000);
	}
	return NULL;
}

static void a_fork_meets_no_held_lock(void **state)
{
	const struct vmsi_hold hold = { .id = { 1, 1 }, .bytes = 10 * PAGE };
	_Atomic bool done = false;
	pthread_t forker;

	(void)state;
	top = open_shared(1000 * PAGE, VMS_COMMIT_STRICT);
	assert_int_equal(vmsi_budget_upper.hold(top, &hold, 0), 0);
	assert_int_equal(pthread_create(&forker, NULL, fork_now_and_then,
					&done), 0);
	for (int i = 0; i < 100000; i++) {
		charge(top, PAGE);
		uncharge(top, PAGE);
	}
	atomic_store(&done, true);
	assert_int_equal(pthread_join(forker, NULL), 0);
	assert_int_equal(atomic_load(&broken), 0);
	assert_int_equal(stats_of(top).committed, 10 * PAGE);
	vmsi_budget_upper.release(top, hold.id);
	assert_int_equal(stats_of(top).committed, 0);
	close_budget(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_keep_to_one_limit),
		cmocka_unit_test(threads_keep_to_a_limit_that_is_shared),
		cmocka_unit_test(a_fork_meets_no_held_lock),
	};

	return cmocka_run_group_tests_name("budget_threads", tests, NULL, NULL);
}
