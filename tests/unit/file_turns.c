/* SPDX-License-Identifier: MIT */
#include "file/turns.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/gate.h"

/* Who commits together, and how a commit and the updates keep apart. */

#define THREADS 6
#define ROUNDS 2000

static struct vmsi_turns turns;
static struct vmsi_gate gate;

/* --- turns ------------------------------------------------------------------------ */

static _Atomic uint64_t written;   /* by all threads */
static _Atomic uint64_t committed; /* `written` as it was when the latest turn began */
static _Atomic unsigned leading, turns_taken;

/* What a thread has written before it comes is in the turn that serves it. */
static void *write_and_commit(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		const uint64_t mine = atomic_fetch_add(&written, 1) + 1;
		struct vmsi_comer comer;
		int error = 0;

		if (vmsi_turns_come(&turns, &comer, &error)) {
			uint64_t taken;

			if (atomic_fetch_add(&leading, 1) != 0)
				return (void *)"two threads lead at a time";
			vmsi_turns_begin(&turns);
			taken = atomic_load(&written);
			atomic_fetch_add(&turns_taken, 1);
			atomic_store(&committed, taken);
			atomic_fetch_sub(&leading, 1);
			vmsi_turns_end(&turns, 0);
		}
		if (error || atomic_load(&committed) < mine)
			return (void *)"a turn that began before it came";
	}
	(void)argument;
	return NULL;
}

static void a_turn_has_what_was_written_before(void **state)
{
	pthread_t threads[THREADS];
	void *problem;

	(void)state;
	vmsi_turns_init(&turns);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						write_and_commit, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &problem);
		if (problem)
			fail_msg("%s", (const char *)problem);
	}
	assert_int_equal(atomic_load(&written), THREADS * ROUNDS);
	assert_true(atomic_load(&turns_taken) <= THREADS * ROUNDS);
}

static void one_thread_leads_each_turn_itself(void **state)
{
	struct vmsi_comer comer;
	int error = 0;

	(void)state;
	vmsi_turns_init(&turns);
	for (int i = 0; i < 3; i++) {
		assert_true(vmsi_turns_come(&turns, &comer, &error));
		vmsi_turns_begin(&turns);
		vmsi_turns_end(&turns, 0);
	}
}

static pthread_barrier_t barrier;

static void *come_late(void *argument)
{
	struct vmsi_comer comer;
	int error = 0;

	(void)argument;
	pthread_barrier_wait(&barrier);
	if (vmsi_turns_come(&turns, &comer, &error)) {
		vmsi_turns_begin(&turns);
		vmsi_turns_end(&turns, -EIO);
		return (void *)(intptr_t)-EIO;
	}
	return (void *)(intptr_t)error;
}

/* All who were served by a turn that failed are told. */
static void a_failure_is_told_to_all_it_served(void **state)
{
	pthread_t threads[2];
	struct vmsi_comer comer;
	void *result;
	int error = 0;

	(void)state;
	vmsi_turns_init(&turns);
	pthread_barrier_init(&barrier, NULL, 3);
	assert_true(vmsi_turns_come(&turns, &comer, &error));
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_late,
						NULL), 0);
	pthread_barrier_wait(&barrier);
	vmsi_turns_begin(&turns);
	vmsi_turns_end(&turns, -EIO);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &result);
		assert_int_equal((intptr_t)result, -EIO);
	}
	pthread_barrier_destroy(&barrier);
}

/* --- the gate --------------------------------------------------------------------- */

static struct pair {
	uint64_t a, b;
} pair; /* plain: only who is inside, or holds the gate closed, touches it */

static pthread_mutex_t inside = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned updating;

static void *update(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		vmsi_gate_enter(&gate);
		pthread_mutex_lock(&inside);
		pair.a++;
		pair.b++;
		pthread_mutex_unlock(&inside);
		vmsi_gate_leave(&gate);
	}
	atomic_fetch_sub(&updating, 1);
	return NULL;
}

static void nobody_is_inside_a_closed_gate(void **state)
{
	pthread_t threads[THREADS];
	unsigned closed = 0;

	(void)state;
	vmsi_gate_init(&gate);
	atomic_store(&updating, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, update,
						NULL), 0);
	do {
		vmsi_gate_close(&gate);
		assert_int_equal(pair.a, pair.b);
		closed++;
		vmsi_gate_open(&gate);
	} while (atomic_load(&updating));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(pair.a, THREADS * ROUNDS);
	assert_true(closed > 0);
}

static void a_gate_is_not_closed_around_others(void **state)
{
	(void)state;
	vmsi_gate_init(&gate);
	assert_true(vmsi_gate_try_close(&gate, 0));
	vmsi_gate_open(&gate);
	vmsi_gate_enter(&gate);
	assert_false(vmsi_gate_try_close(&gate, 0));
	assert_true(vmsi_gate_try_close(&gate, 1));
	assert_false(vmsi_gate_try_close(&gate, 1));
	vmsi_gate_open(&gate);
	vmsi_gate_enter(&gate);
	assert_false(vmsi_gate_try_close(&gate, 1));
	vmsi_gate_leave(&gate);
	vmsi_gate_leave(&gate);
}

/* --- threads that are cancelled ----------------------------------------------------- */

static atomic_bool has_waited;

static void *close_and_open(void *argument)
{
	vmsi_gate_close(&gate);
	vmsi_gate_open(&gate);
	atomic_store(&has_waited, true);
	return argument;
}

static void *come_and_lead(void *argument)
{
	struct vmsi_comer comer;
	int error = 0;

	if (vmsi_turns_come(&turns, &comer, &error)) {
		vmsi_turns_begin(&turns);
		vmsi_turns_end(&turns, 0);
	}
	atomic_store(&has_waited, true);
	return argument;
}

static bool is_closing(void)
{
	return atomic_load(&gate.state) & VMSI_GATE_CLOSED;
}

static bool has_comer(void)
{
	bool has;

	pthread_mutex_lock(&turns.mutex);
	has = turns.comers != NULL;
	pthread_mutex_unlock(&turns.mutex);
	return has;
}

/* It would end with the mutex locked, which the next one waits for. */
static void cancel_one_that_waits(void *(*wait)(void *), bool (*waits)(void),
				  void (*let_go)(void))
{
	pthread_t thread;

	(void)alarm(30);
	atomic_store(&has_waited, false);
	assert_int_equal(pthread_create(&thread, NULL, wait, NULL), 0);
	while (!waits())
		(void)sched_yield();
	assert_int_equal(pthread_cancel(thread), 0);
	let_go();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(atomic_load(&has_waited));
	(void)alarm(0);
}

static void leave_gate(void)
{
	vmsi_gate_leave(&gate);
}

static void end_turn(void)
{
	vmsi_turns_end(&turns, 0);
}

static void one_that_is_cancelled_waits_to_the_end(void **state)
{
	struct vmsi_comer comer;
	int error = 0;

	(void)state;
	vmsi_gate_init(&gate);
	vmsi_gate_enter(&gate);
	cancel_one_that_waits(close_and_open, is_closing, leave_gate);
	assert_true(vmsi_gate_try_close(&gate, 0));
	vmsi_gate_open(&gate);

	vmsi_turns_init(&turns);
	assert_true(vmsi_turns_come(&turns, &comer, &error));
	vmsi_turns_begin(&turns);
	cancel_one_that_waits(come_and_lead, has_comer, end_turn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_has_what_was_written_before),
		cmocka_unit_test(one_thread_leads_each_turn_itself),
		cmocka_unit_test(a_failure_is_told_to_all_it_served),
		cmocka_unit_test(nobody_is_inside_a_closed_gate),
		cmocka_unit_test(a_gate_is_not_closed_around_others),
		cmocka_unit_test(one_that_is_cancelled_waits_to_the_end),
	};

	return cmocka_run_group_tests_name("file_turns", tests, NULL, NULL);
}
