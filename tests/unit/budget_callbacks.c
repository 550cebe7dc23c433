/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget_fixture.h"
#include "host/host.h"

/* Whose callbacks are asked, in which order, and who waits for them; soft limits. */

#define MANY 100

struct cache {
	vms_budget *budget;
	size_t holds;
	size_t gives;          /* at each call, at most */
	size_t asked_for;      /* bytes, the latest time */
	unsigned attempt;      /* the latest */
	unsigned calls;
	unsigned place;        /* among all calls, of the latest one */
};

static unsigned calls;

static bool give(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	struct cache *cache = context;
	const size_t gives = cache->gives < cache->holds ? cache->gives : cache->holds;

	assert_ptr_equal(budget, cache->budget);
	cache->calls++;
	cache->asked_for = bytes;
	cache->attempt = attempt;
	cache->place = ++calls;
	uncharge(budget, gives);
	cache->holds -= gives;
	return gives != 0;
}

static struct cache open_cache(vms_budget *parent, size_t holds)
{
	vms_budget *budget = open_strict(SIZE_MAX, parent);

	charge(budget, holds);
	return (struct cache){ .budget = budget, .holds = holds };
}

static void listen_to(struct cache *cache)
{
	assert_int_equal(vms_budget_set_callback(cache->budget, give, cache), 0);
}

/* --- whom ---------------------------------------------------------------------------- */

static void siblings_are_asked_and_the_largest_first(void **unused)
{
	vms_budget *top = open_strict(1000, NULL);
	struct cache caches[4] = {
		open_cache(top, 100), open_cache(top, 300), open_cache(top, 200),
		open_cache(top, 0),
	};
	struct cache own = { .budget = top };

	(void)unused;
	calls = 0;
	for (size_t i = 0; i < 4; i++)
		listen_to(&caches[i]);
	listen_to(&own);
	caches[0].gives = 50;
	errno = 0;
	assert_int_equal(vms_budget_charge(caches[3].budget, 450), 0);
	assert_int_equal(caches[1].place, 1);
	assert_int_equal(caches[2].place, 2);
	assert_int_equal(caches[0].place, 3);
	assert_int_equal(caches[0].asked_for, 450);
	/* Who has given something is enough. */
	assert_int_equal(caches[3].calls + own.calls, 0);
	assert_int_equal(errno, 0);
	caches[0].gives = 0;
	assert_refused(vms_budget_charge(caches[3].budget, 1), ENOMEM);
	/* It holds nothing itself; others below it do. */
	assert_int_equal(own.place, 8);
	for (size_t i = 0; i < 4; i++)
		close_budget(caches[i].budget);
	close_budget(top);
}

/* What lies beside the budget that refuses, or above it, has nothing to do with it. */
static void only_those_below_who_refuses(void **unused)
{
	vms_budget *top = open_strict(1000, NULL);
	vms_budget *low = open_strict(10, top);
	struct cache beside = open_cache(top, 500), below = open_cache(low, 10);
	struct cache above = { .budget = top };

	(void)unused;
	listen_to(&beside);
	listen_to(&below);
	listen_to(&above);
	assert_refused(vms_budget_charge(low, 1), ENOMEM);
	assert_int_equal(below.calls, 1);
	assert_int_equal(beside.calls + above.calls, 0);
	close_budget(below.budget);
	close_budget(beside.budget);
	close_budget(low);
	close_budget(top);
}

static void each_of_many_is_asked_once(void **unused)
{
	vms_budget *top = open_strict(MANY, NULL);
	struct cache caches[MANY];

	(void)unused;
	calls = 0;
	for (size_t i = 0; i < MANY; i++) {
		caches[i] = open_cache(top, 1);
		listen_to(&caches[i]);
	}
	assert_refused(vms_budget_charge(top, 1), ENOMEM);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(caches[i].calls, 1);
	/* The last of all that is asked. */
	for (size_t i = 0; i < MANY; i++)
		caches[i].gives = caches[i].place == MANY;
	charge(top, 1);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(caches[i].calls, 2);
	for (size_t i = 0; i < MANY; i++)
		close_budget(caches[i].budget);
	close_budget(top);
}

/* --- threads -------------------------------------------------------------------------- */

static atomic_bool is_in_callback, may_end, has_ended;

static bool take_long(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	(void)budget;
	(void)bytes;
	(void)attempt;
	(void)context;
	atomic_store(&is_in_callback, true);
	while (!atomic_load(&may_end))
		(void)sched_yield();
	atomic_store(&has_ended, true);
	return false;
}

static void *be_refused(void *budget)
{
	assert_refused(vms_budget_charge(budget, SIZE_MAX / 2), ENOMEM);
	return NULL;
}

static long (*real_futex_wait)(const void *word, uint32_t seen, uint64_t nanoseconds);

/* Who closes the budget waits: now the callback may end. */
static long end_it(const void *word, uint32_t seen, uint64_t nanoseconds)
{
	atomic_store(&may_end, true);
	return real_futex_wait(word, seen, nanoseconds);
}

static void start_long_callback(pthread_t *thread, vms_budget *top, vms_budget *beside)
{
	atomic_store(&is_in_callback, false);
	atomic_store(&may_end, false);
	atomic_store(&has_ended, false);
	assert_int_equal(vms_budget_set_callback(beside, take_long, NULL), 0);
	assert_int_equal(pthread_create(thread, NULL, be_refused, top), 0);
	while (!atomic_load(&is_in_callback))
		(void)sched_yield();
}

static void a_close_waits_for_the_callback(void **unused)
{
	vms_budget *top = open_strict(10, NULL), *beside = open_strict(10, top);
	pthread_t thread;

	(void)unused;
	start_long_callback(&thread, top, beside);
	real_futex_wait = vmsi_host.futex_wait;
	vmsi_host.futex_wait = end_it;
	close_budget(beside);
	vmsi_host.futex_wait = real_futex_wait;
	assert_true(atomic_load(&has_ended));
	assert_int_equal(pthread_join(thread, NULL), 0);
	close_budget(top);
}

/* It ends in the parent. */
static void a_child_does_not_wait_for_it(void **unused)
{
	vms_budget *top = open_strict(10, NULL), *beside = open_strict(10, top);
	pthread_t thread;
	pid_t child;
	int status;

	(void)unused;
	start_long_callback(&thread, top, beside);
	child = fork();
	if (child == 0)
		_exit(vms_budget_close(beside) == 0 && vms_budget_close(top) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	atomic_store(&may_end, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close_budget(beside);
	close_budget(top);
}

static bool close_itself(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	(void)bytes;
	(void)attempt;
	*(int *)context = vms_budget_close(budget) == -1 ? errno : 0;
	return false;
}

static void a_callback_cannot_close_its_budget(void **unused)
{
	vms_budget *budget = open_strict(10, NULL);
	int error = 0;

	(void)unused;
	assert_int_equal(vms_budget_set_callback(budget, close_itself, &error), 0);
	assert_refused(vms_budget_charge(budget, 11), ENOMEM);
	assert_int_equal(error, EBUSY);
	close_budget(budget);
}

/* --- soft limits ------------------------------------------------------------------------ */

static void callbacks_are_called_early(void **unused)
{
	vms_budget *top = open_strict(1000, NULL);
	struct cache large = open_cache(top, 200), small = open_cache(top, 100);

	(void)unused;
	calls = 0;
	listen_to(&large);
	listen_to(&small);
	assert_int_equal(vms_budget_set_soft_limit(top, 500), 0);
	assert_int_equal(stats_of(top).soft_limit, 500);
	charge(top, 200);
	assert_int_equal(calls, 0);
	/* It is granted, and whoever is asked returns is of no matter. */
	charge(top, 30);
	assert_int_equal(large.place, 1);
	assert_int_equal(small.place, 2);
	assert_int_equal(large.asked_for, 30);
	assert_int_equal(large.attempt, VMS_BUDGET_EARLY);
	assert_int_equal(stats_of(top).committed, 530);
	assert_int_equal(stats_of(top).refusals, 0);
	/* Once, until less is charged. */
	charge(top, 100);
	assert_int_equal(calls, 2);
	uncharge(top, 130);
	charge(top, 1);
	assert_int_equal(calls, 4);
	/* No more than it takes. */
	uncharge(top, 1);
	large.gives = 100;
	charge(top, 60);
	assert_int_equal(large.calls, 3);
	assert_int_equal(small.calls, 2);
	assert_int_equal(stats_of(top).committed, 460);
	close_budget(large.budget);
	close_budget(small.budget);
	close_budget(top);
}

static void a_soft_limit_can_be_taken_away(void **unused)
{
	struct cache cache = { .budget = open_strict(1000, NULL) };

	(void)unused;
	calls = 0;
	listen_to(&cache);
	assert_int_equal(vms_budget_set_soft_limit(cache.budget, 10), 0);
	assert_int_equal(vms_budget_set_soft_limit(cache.budget, 0), 0);
	charge(cache.budget, 100);
	/* Nor is one told that is passed when it is set. */
	assert_int_equal(vms_budget_set_soft_limit(cache.budget, 50), 0);
	charge(cache.budget, 1);
	assert_int_equal(calls, 0);
	assert_refused(vms_budget_set_soft_limit(NULL, 1), EINVAL);
	close_budget(cache.budget);
}

/* The highest of several that are passed at once has the callbacks of all. */
static void the_highest_is_told(void **unused)
{
	vms_budget *top = open_strict(1000, NULL), *low = open_strict(1000, top);
	struct cache beside = open_cache(top, 0), below = open_cache(low, 0);

	(void)unused;
	listen_to(&beside);
	listen_to(&below);
	assert_int_equal(vms_budget_set_soft_limit(top, 10), 0);
	assert_int_equal(vms_budget_set_soft_limit(low, 10), 0);
	charge(below.budget, 11);
	assert_int_equal(beside.calls, 1);
	assert_int_equal(below.calls, 1);
	uncharge(below.budget, 11);
	close_budget(beside.budget);
	close_budget(below.budget);
	close_budget(low);
	close_budget(top);
}

static bool charge_more(vms_budget *budget, size_t bytes, unsigned attempt, void *context)
{
	(void)bytes;
	(void)attempt;
	++*(unsigned *)context;
	assert_int_equal(vms_budget_uncharge(budget, 100), 0);
	assert_int_equal(vms_budget_charge(budget, 100), 0);
	return true;
}

static void a_callback_passes_it_without_a_call(void **unused)
{
	vms_budget *budget = open_strict(1000, NULL);
	unsigned count = 0;

	(void)unused;
	assert_int_equal(vms_budget_set_callback(budget, charge_more, &count), 0);
	assert_int_equal(vms_budget_set_soft_limit(budget, 50), 0);
	charge(budget, 100);
	assert_int_equal(count, 1);
	/* What the callback has passed is told with the thread's next request. */
	charge(budget, 1);
	assert_int_equal(count, 2);
	uncharge(budget, 101);
	close_budget(budget);
}

static void by_another_process_of_a_shared_one(void **unused)
{
	struct cache cache = { .budget = open_shared(1000, VMS_COMMIT_STRICT) };
	pid_t child;
	int ends[2], status;
	char sign;

	(void)unused;
	calls = 0;
	listen_to(&cache);
	assert_int_equal(vms_budget_set_soft_limit(cache.budget, 100), 0);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		(void)vms_budget_set_soft_limit(cache.budget, 0);
		_exit(vms_budget_charge(cache.budget, 90) != 0 ||
		      close(ends[1]) != 0 || read(ends[0], &sign, 1) != 0);
	}
	while (stats_of(cache.budget).committed < 90)
		(void)sched_yield();
	assert_int_equal(calls, 0);
	charge(cache.budget, 20);
	assert_int_equal(cache.calls, 1);
	assert_int_equal(cache.asked_for, 10);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(close(ends[0]), 0);
	close_budget(cache.budget);
}

/* --- by spaces, heaps, buffers ------------------------------------------------------------- */

#define MIB ((size_t)1 << 20)

static vms_space *open_space(vms_budget *budget)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.budget = budget,
	};
	vms_space *space = vms_space_open(64 * MIB, &options);

	assert_non_null(space);
	return space;
}

static void by_a_space(void **unused)
{
	struct cache cache = { .budget = open_strict(SIZE_MAX, NULL) };
	vms_space *space = open_space(cache.budget);
	char *bytes;

	(void)unused;
	listen_to(&cache);
	assert_int_equal(vms_budget_set_soft_limit(cache.budget, MIB), 0);
	bytes = vms_mmap(space, NULL, MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	assert_int_equal(cache.calls, 0);
	bytes = vms_mremap(space, bytes, MIB, 2 * MIB, MREMAP_MAYMOVE, NULL);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	assert_int_equal(cache.calls, 1);
	assert_int_equal(cache.asked_for, MIB);
	assert_int_equal(vms_space_close(space), 0);
	close_budget(cache.budget);
}

static void by_a_heap(void **unused)
{
	struct cache cache = { .budget = open_strict(SIZE_MAX, NULL) };
	const struct vms_heap_options options = {
		.struct_size = sizeof(options),
		.budget = cache.budget,
	};
	vms_heap *heap = vms_heap_open(&options);
	void *block;

	(void)unused;
	assert_non_null(heap);
	listen_to(&cache);
	assert_int_equal(vms_budget_set_soft_limit(cache.budget, 4 * MIB), 0);
	block = vms_heap_malloc(heap, 3 * MIB);
	assert_non_null(block);
	assert_int_equal(cache.calls, 0);
	block = vms_heap_realloc(heap, block, 8 * MIB);
	assert_non_null(block);
	assert_int_equal(cache.calls, 1);
	vms_heap_free(heap, block);
	vms_heap_close(heap);
	close_budget(cache.budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siblings_are_asked_and_the_largest_first),
		cmocka_unit_test(only_those_below_who_refuses),
		cmocka_unit_test(each_of_many_is_asked_once),
		cmocka_unit_test(a_close_waits_for_the_callback),
		cmocka_unit_test(a_child_does_not_wait_for_it),
		cmocka_unit_test(a_callback_cannot_close_its_budget),
		cmocka_unit_test(callbacks_are_called_early),
		cmocka_unit_test(a_soft_limit_can_be_taken_away),
		cmocka_unit_test(the_highest_is_told),
		cmocka_unit_test(a_callback_passes_it_without_a_call),
		cmocka_unit_test(by_another_process_of_a_shared_one),
		cmocka_unit_test(by_a_space),
		cmocka_unit_test(by_a_heap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
