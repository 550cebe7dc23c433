/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lock.h"

#define THREADS 4
#define ROUNDS 20000

static struct vmsi_lock counter_lock =
	VMSI_LOCK_INITIALIZER(VMSI_RANK_LEAF);
static unsigned long counter;

static void *count_up(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		vmsi_lock_acquire(&counter_lock);
		counter++;
		vmsi_lock_release(&counter_lock);
	}
	return NULL;
}

static void one_thread_at_a_time_holds_a_lock(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counter, THREADS * ROUNDS);
}

static void locks_nest_in_order_of_rank(void **state)
{
	struct vmsi_lock registry, space, leaf;

	(void)state;
	vmsi_lock_init(&registry, VMSI_RANK_REGISTRY);
	vmsi_lock_init(&space, VMSI_RANK_SPACE);
	vmsi_lock_init(&leaf, VMSI_RANK_LEAF);
	for (int i = 0; i < 3; i++) {
		vmsi_lock_acquire(&registry);
		vmsi_lock_acquire(&space);
		vmsi_lock_acquire(&leaf);
		assert_int_equal(pthread_mutex_trylock(&space.mutex), EBUSY);
		/* Locks may be released in any order. */
		vmsi_lock_release(&registry);
		vmsi_lock_release(&leaf);
		vmsi_lock_release(&space);
		assert_int_equal(pthread_mutex_trylock(&space.mutex), 0);
		pthread_mutex_unlock(&space.mutex);
	}
}

static void fork_handlers_take_all_locks_of_one_rank(void **state)
{
	struct vmsi_lock spaces[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		vmsi_lock_init(&spaces[i], VMSI_RANK_SPACE);
	for (int i = 0; i < 3; i++)
		vmsi_lock_acquire_any(&spaces[i]);
	for (int i = 0; i < 3; i++)
		vmsi_lock_release_any(&spaces[i]);
	/* These acquisitions must leave no rank marked as held. */
	vmsi_lock_acquire(&spaces[1]);
	vmsi_lock_release(&spaces[1]);
}

#ifdef VMSI_DEBUG

/* Return how a child ends that takes two locks of these ranks in this order. */
static int end_of_taking(enum vmsi_lock_rank first, enum vmsi_lock_rank second)
{
	struct vmsi_lock one, two;
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		vmsi_lock_init(&one, first);
		vmsi_lock_init(&two, second);
		vmsi_lock_acquire(&one);
		vmsi_lock_acquire(&two);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_debug_build_stops_at_a_wrong_order(void **state)
{
	static const enum vmsi_lock_rank ranks[] = {
		VMSI_RANK_REGISTRY, VMSI_RANK_SPACE, VMSI_RANK_LEAF,
	};

	(void)state;
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			assert_int_equal(end_of_taking(ranks[i], ranks[j]),
					 i < j ? 0 : SIGABRT);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_at_a_time_holds_a_lock),
		cmocka_unit_test(locks_nest_in_order_of_rank),
		cmocka_unit_test(fork_handlers_take_all_locks_of_one_rank),
#ifdef VMSI_DEBUG
		cmocka_unit_test(a_debug_build_stops_at_a_wrong_order),
#endif
	};

	return cmocka_run_group_tests_name("base_lock", tests, NULL, NULL);
}
