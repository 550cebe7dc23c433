/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "heap_yields.h"

/*
 * What a heap retains goes back while several threads are refused at once, and in
 * a child that was forked meanwhile.
 */

#define THREADS 7
#define ROUNDS 20

static pthread_barrier_t barrier;
static vms_space *common;
static _Atomic unsigned failures;

static void *map_at_once(void *unused)
{
	(void)pthread_barrier_wait(&barrier);
	if (vms_mmap(common, NULL, 8 * MIB, RW, ANONYMOUS, -1, 0) == MAP_FAILED)
		atomic_fetch_add(&failures, 1);
	return unused;
}

/* One thread gives back what all of them need, and the others wait for it. */
static void all_that_are_refused_at_once_get_it(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		common = open_space_under(budget);
		for (unsigned i = 0; i < 3; i++)
			retain(heap, 60 * MIB);
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
							map_at_once, NULL), 0);
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(vms_space_close(common), 0);
	}
	assert_int_equal(failures, 0);
	assert_int_equal(pthread_barrier_destroy(&barrier), 0);
}

static atomic_bool stop;

/* Allocate and free so much that the budget refuses again and again. */
static void *press(void *argument)
{
	const size_t size = *(size_t *)argument;

	while (!atomic_load(&stop)) {
		unsigned char *block = vms_heap_malloc(heap, size);

		if (block)
			*block = 1;
		vms_heap_free(heap, block);
	}
	return NULL;
}

static int use_in_child(void)
{
	unsigned char *block;

	alarm(3600);
	/* Blocks of the parent's other threads stay charged in the child. */
	(void)vms_budget_set_limit(budget, 4 * LIMIT);
	block = vms_heap_malloc(heap, 60 * MIB);
	if (!block)
		return 1;
	*block = 1;
	vms_heap_free(heap, block);
	/*
	 * The limit refuses this request, after the heap has given everything back.
	 */
	if (vms_heap_malloc(heap, 5 * LIMIT))
		return 2;
	return vmsi_get(&heap->ages.retained) == 0 ? 0 : 3;
}

static void a_child_can_ask_for_it(void **state)
{
	static size_t sizes[] = { 40 * MIB, 30 * MIB, 900 * KIB };
	pthread_t threads[3];

	(void)state;
	atomic_store(&stop, false);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, press,
						&sizes[i]), 0);
	for (unsigned i = 0; i < 60; i++) {
		int status = 0;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			_exit(use_in_child());
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BUDGET(all_that_are_refused_at_once_get_it),
		WITH_BUDGET(a_child_can_ask_for_it),
	};

	return cmocka_run_group_tests_name("heap_yields_threads", tests, NULL, NULL);
}
