/* SPDX-License-Identifier: MIT */
#include "file/handlers.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/host.h"

/* Who waits for the handlers that are at work. */

#define WAITERS 3

static struct vmsi_host_calls real;
static _Thread_local unsigned me;      /* 0: none of the waiters */
static _Atomic unsigned yields[WAITERS + 1];
static atomic_bool is_done[WAITERS + 1];

static long count_yield(void)
{
	atomic_fetch_add(&yields[me], 1);
	return real.yield();
}

static void *wait_for_handlers(void *number)
{
	me = (unsigned)(uintptr_t)number;
	vmsi_handlers_wait();
	atomic_store(&is_done[me], true);
	return NULL;
}

/* Until it waits for a while longer, or does not wait any more. */
static void let_wait(unsigned number)
{
	const unsigned until = atomic_load(&yields[number]) + 20;

	while (atomic_load(&yields[number]) < until &&
	       !atomic_load(&is_done[number]))
		(void)sched_yield();
}

static pthread_t start(unsigned number)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_for_handlers,
					(void *)(uintptr_t)number), 0);
	let_wait(number);
	return thread;
}

static void nobody_is_done_before_a_handler_that_was_there(void **state)
{
	pthread_t threads[WAITERS];
	unsigned first, second, third;

	(void)state;
	assert_int_equal(vmsi_handlers_open(), 0);
	real = vmsi_host;
	vmsi_host.yield = count_yield;
	first = vmsi_handler_enter();
	threads[0] = start(1);
	second = vmsi_handler_enter();
	vmsi_handler_leave(first);
	let_wait(1);
	third = vmsi_handler_enter();
	threads[1] = start(2);
	threads[2] = start(3);
	vmsi_handler_leave(third);
	for (unsigned i = 1; i <= WAITERS; i++) {
		let_wait(i);
		assert_false(atomic_load(&is_done[i]));
	}
	vmsi_handler_leave(second);
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	vmsi_host = real;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_done_before_a_handler_that_was_there),
	};

	return cmocka_run_group_tests_name("file_handlers", tests, NULL, NULL);
}
