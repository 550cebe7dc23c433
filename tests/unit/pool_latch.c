/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/host.h"
#include "pool/latch.h"

/* The lock of a pool's records. */

static struct vmsi_latch latch;
static struct vmsi_host_calls real;
static _Atomic unsigned sleeps, wakes;

static long sleep_and_count(const void *word, uint32_t value, uint64_t nanoseconds)
{
	atomic_fetch_add(&sleeps, 1);
	return real.futex_wait(word, value, nanoseconds);
}

static long wake_and_count(const void *word, int count)
{
	atomic_fetch_add(&wakes, 1);
	return real.futex_wake(word, count);
}

/* Only who wakes the sleeper gets it on. */
static long sleep_for_long(const void *word, uint32_t value, uint64_t nanoseconds)
{
	(void)nanoseconds;
	atomic_fetch_add(&sleeps, 1);
	return real.futex_wait(word, value, UINT64_C(3600000000000));
}

static long refuse_to_sleep(const void *word, uint32_t value, uint64_t nanoseconds)
{
	(void)word;
	(void)value;
	(void)nanoseconds;
	atomic_fetch_add(&sleeps, 1);
	return -ENOSYS;
}

static int begin(void **state)
{
	(void)state;
	real = vmsi_host;
	vmsi_host.futex_wait = sleep_and_count;
	vmsi_host.futex_wake = wake_and_count;
	atomic_store(&sleeps, 0);
	atomic_store(&wakes, 0);
	vmsi_latch_init(&latch, VMSI_RANK_POOL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	vmsi_host = real;
	return 0;
}

/* --- exclusion ------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 2000
#define ROUNDS_TO_YIELD 256

static unsigned long counter;

/* Who gives the processor away with the latch makes the others sleep. */
static void *count_up(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned long seen;

		vmsi_latch_acquire(&latch);
		seen = counter;
		if (i % ROUNDS_TO_YIELD == 0)
			(void)sched_yield();
		counter = seen + 1;
		vmsi_latch_release(&latch);
	}
	return NULL;
}

static void count_by_threads(void)
{
	pthread_t threads[THREADS];

	counter = 0;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(counter, THREADS * ROUNDS);
	assert_int_equal(atomic_load(&latch.state), VMSI_LATCH_FREE);
}

static void one_thread_at_a_time_has_it(void **state)
{
	(void)state;
	count_by_threads();
}

static void one_thread_at_a_time_has_it_where_nobody_can_sleep(void **state)
{
	(void)state;
	vmsi_host.futex_wait = refuse_to_sleep;
	count_by_threads();
}

/* --- sleep --------------------------------------------------------------------------------------- */

static void *take_and_give(void *argument)
{
	(void)argument;
	vmsi_latch_acquire(&latch);
	vmsi_latch_release(&latch);
	return NULL;
}

/* Each that leaves wakes the next. Where it does not, this does not end. */
static void all_that_sleep_are_woken(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	vmsi_host.futex_wait = sleep_for_long;
	vmsi_latch_acquire(&latch);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
	while (atomic_load(&sleeps) < THREADS)
		(void)sched_yield();
	vmsi_latch_release(&latch);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&latch.state), VMSI_LATCH_FREE);
}

static void who_is_alone_makes_no_call(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++)
		(void)take_and_give(NULL);
	assert_int_equal(atomic_load(&sleeps), 0);
	assert_int_equal(atomic_load(&wakes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_thread_at_a_time_has_it, begin, end),
		cmocka_unit_test_setup_teardown(
			one_thread_at_a_time_has_it_where_nobody_can_sleep, begin, end),
		cmocka_unit_test_setup_teardown(all_that_sleep_are_woken, begin, end),
		cmocka_unit_test_setup_teardown(who_is_alone_makes_no_call, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
