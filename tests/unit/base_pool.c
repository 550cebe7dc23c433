/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pool.h"
#include "chunks.h"

#define RECORD 128
#define MANY 5000

static void reserve_makes_that_many_takes_succeed(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	for (size_t count = 1; count < MANY; count = count * 3 + 1) {
		assert_int_equal(vmsi_pool_reserve(&pool, count), 0);
		chunks.chunks_left = 0;
		for (size_t i = 0; i < count; i++)
			assert_non_null(vmsi_pool_take(&pool));
		chunks.chunks_left = SIZE_MAX;
	}
	vmsi_pool_release(&pool);
	assert_int_equal(chunks.live, 0);
	assert_false(chunks.wrong_put);
}

static void what_a_chunk_had_left_is_not_lost(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, 10), 0);
	assert_int_equal(vmsi_pool_reserve(&pool, pool.free_count + 1), 0);
	assert_int_equal(chunks.live, 2);
	chunks.chunks_left = 0;
	/* The pool must hold as many records as free_count says. */
	while (pool.free_count)
		assert_non_null(vmsi_pool_take(&pool));
	assert_true(pool.used_count * RECORD > pool.total_bytes - 4 * RECORD);
	vmsi_pool_release(&pool);
}

static void records_are_aligned_and_do_not_overlap(void **state)
{
	static unsigned char *records[MANY];
	struct chunks chunks;
	struct vmsi_pool pool;

	(void)state;
	vmsi_pool_init(&pool, RECORD - 3, chunks_source(&chunks));
	for (size_t i = 0; i < MANY; i++) {
		/* Steps of different sizes leave unused records in old chunks. */
		assert_int_equal(vmsi_pool_reserve(&pool, i % 97 + 1), 0);
		records[i] = vmsi_pool_take(&pool);
		assert_int_equal((uintptr_t)records[i] % 16, 0);
		memset(records[i], (int)(i % 251), RECORD - 3);
	}
	for (size_t i = 0; i < MANY; i++)
		for (size_t j = 0; j < RECORD - 3; j++)
			assert_int_equal(records[i][j], i % 251);
	vmsi_pool_release(&pool);
}

static void records_the_size_of_cache_lines_begin_at_one(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;

	(void)state;
	vmsi_pool_init(&pool, 128, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, 10), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal((uintptr_t)vmsi_pool_take(&pool) % 64, 0);
	vmsi_pool_release(&pool);
}

static void given_records_are_used_again(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;
	void *record;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, 1), 0);
	record = vmsi_pool_take(&pool);
	for (int i = 0; i < 3 * MANY; i++) {
		vmsi_pool_give(&pool, record);
		assert_int_equal(vmsi_pool_reserve(&pool, 1), 0);
		record = vmsi_pool_take(&pool);
	}
	assert_int_equal(chunks.requests, 1);
	assert_int_equal(pool.used_count, 1);
	vmsi_pool_release(&pool);
}

static void counts_follow_takes_and_gives(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;
	void *records[3];
	size_t all;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, 3), 0);
	all = pool.free_count;
	for (size_t i = 0; i < 3; i++)
		records[i] = vmsi_pool_take(&pool);
	assert_int_equal(pool.used_count, 3);
	assert_int_equal(pool.free_count, all - 3);
	for (size_t i = 0; i < 3; i++)
		vmsi_pool_give(&pool, records[i]);
	assert_int_equal(pool.used_count, 0);
	assert_int_equal(pool.free_count, all);
	assert_int_equal(pool.total_bytes, chunks.live_bytes);
	vmsi_pool_release(&pool);
}

static void a_failed_reserve_leaves_the_pool_as_before(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool, before;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	chunks.chunks_left = 0;
	assert_int_equal(vmsi_pool_reserve(&pool, 1), -ENOMEM);
	assert_int_equal(pool.free_count, 0);

	chunks.chunks_left = 1;
	assert_int_equal(vmsi_pool_reserve(&pool, 10), 0);
	before = pool;
	/*
	 * This request needs several chunks; when one cannot be had, none may stay.
	 */
	assert_int_equal(vmsi_pool_reserve(&pool, 100 * MANY), -ENOMEM);
	assert_memory_equal(&pool, &before, sizeof(pool));
	assert_int_equal(chunks.live, 1);
	assert_non_null(vmsi_pool_take(&pool));
	vmsi_pool_release(&pool);
}

static void a_reserve_too_large_for_addresses_fails(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, SIZE_MAX), -ENOMEM);
	assert_int_equal(vmsi_pool_reserve(&pool, SIZE_MAX / RECORD), -ENOMEM);
	assert_int_equal(chunks.requests, 0);
	vmsi_pool_release(&pool);
}

static void records_larger_than_a_first_chunk_are_given(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;
	const size_t size = (size_t)1 << 20;

	(void)state;
	vmsi_pool_init(&pool, size, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, 2), 0);
	memset(vmsi_pool_take(&pool), 1, size);
	memset(vmsi_pool_take(&pool), 2, size);
	vmsi_pool_release(&pool);
	assert_int_equal(chunks.live, 0);
}

static void a_released_pool_is_empty_and_usable(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	assert_int_equal(vmsi_pool_reserve(&pool, MANY), 0);
	vmsi_pool_take(&pool);
	vmsi_pool_release(&pool);
	assert_int_equal(chunks.live, 0);
	assert_int_equal(chunks.live_bytes, 0);
	assert_int_equal(pool.total_bytes, 0);
	assert_int_equal(pool.used_count, 0);
	assert_int_equal(pool.free_count, 0);
	assert_int_equal(vmsi_pool_reserve(&pool, 1), 0);
	assert_non_null(vmsi_pool_take(&pool));
	vmsi_pool_release(&pool);
}

static void a_take_without_a_reserve_ends_the_program(void **state)
{
	struct chunks chunks;
	struct vmsi_pool pool;
	int status;
	pid_t child;

	(void)state;
	vmsi_pool_init(&pool, RECORD, chunks_source(&chunks));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		vmsi_pool_take(&pool);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserve_makes_that_many_takes_succeed),
		cmocka_unit_test(what_a_chunk_had_left_is_not_lost),
		cmocka_unit_test(records_are_aligned_and_do_not_overlap),
		cmocka_unit_test(records_the_size_of_cache_lines_begin_at_one),
		cmocka_unit_test(given_records_are_used_again),
		cmocka_unit_test(counts_follow_takes_and_gives),
		cmocka_unit_test(a_failed_reserve_leaves_the_pool_as_before),
		cmocka_unit_test(a_reserve_too_large_for_addresses_fails),
		cmocka_unit_test(records_larger_than_a_first_chunk_are_given),
		cmocka_unit_test(a_released_pool_is_empty_and_usable),
		cmocka_unit_test(a_take_without_a_reserve_ends_the_program),
	};

	return cmocka_run_group_tests_name("base_pool", tests, NULL, NULL);
}
