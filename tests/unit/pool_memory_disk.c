/* SPDX-License-Identifier: MIT */
#include <sched.h>

#include "pool_memory_fixture.h"

#include "host/host.h"
#include "no_ring.h"
#include "pool/pool.h"

/*
 * Pools of memory on a disk that is full, and what is done while nothing can leave.
 */

static struct vmsi_host_calls real;

static int keep_host(void **state)
{
	(void)state;
	real = vmsi_host;
	return 0;
}

static int restore_host(void **state)
{
	(void)state;
	vmsi_host = real;
	return 0;
}

/* --- what is done while nothing can leave --------------------------------------------- */

static _Atomic(const void *) writer_word;
static _Atomic bool writer_sleeps;

static long note_sleep(const void *word, uint32_t value, uint64_t nanoseconds)
{
	const bool is_writer = word == atomic_load(&writer_word);
	long result;

	if (is_writer)
		atomic_store(&writer_sleeps, true);
	result = real.futex_wait(word, value, nanoseconds);
	if (is_writer)
		atomic_store(&writer_sleeps, false);
	return result;
}

static void must_come_to_rest(vms_pool *pool)
{
	const uint64_t aside = pool_stats(pool).pages_aside;

	while (!atomic_load(&writer_sleeps)) {
		assert_true(pool_stats(pool).pages_aside - aside < 20 * MANY);
		(void)sched_yield();
	}
}

/* Pages would be put aside in the place of each other, without an end. */
static void the_writer_sleeps_when_all_is_full(void **state)
{
	struct vms_pool_options options = memory_options(".");
	unsigned count;
	vms_pool *pool;
	int error;

	(void)state;
	vmsi_host.futex_wait = note_sleep;
	options.swap_bytes = 4 << 20;
	pool = must_open_memory(&options);
	atomic_store(&writer_word, &pool->writer_calls);
	worked(vms_pool_grow(pool, MANY));
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	must_come_to_rest(pool);
	/* There is room for some, until all is changed. */
	for (unsigned page = 0; page < count; page += 5)
		worked(vms_pool_free(pool, page));
	for (unsigned page = 0; page < count; page++) {
		if (page % 7 == 1 && vms_pool_fix(pool, page, VMS_POOL_WRITE))
			must_unfix(pool, page);
		if (page % 100 == 0)
			must_come_to_rest(pool);
	}
	must_come_to_rest(pool);
	worked(vms_pool_close(pool));
}

static unsigned refused_drops;

static void note_drop(void)
{
	if (++refused_drops > 100000)
		fail_msg("it is tried for ever");
}

static long refuse_drop(uintptr_t start, size_t length, int advice)
{
	if (advice != MADV_DONTNEED)
		return real.madvise(start, length, advice);
	note_drop();
	return -ENOMEM;
}

static long refuse_drops(const struct iovec *parts, int count, int advice)
{
	(void)parts;
	(void)count;
	(void)advice;
	note_drop();
	return -ENOMEM;
}

static long no_sleep(unsigned nanoseconds)
{
	(void)nanoseconds;
	return 0;
}

/* What is put aside and cannot leave is given up for other pages, again and again. */
static void it_ends_where_the_host_drops_nothing(void **state)
{
	struct vms_pool_options options = memory_options(".");
	unsigned count;
	vms_pool *pool;
	int error;

	(void)state;
	options.swap_bytes = 4 << 20;
	options.flags |= VMS_POOL_NO_WRITER | VMS_POOL_ADDRESSED;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	for (unsigned page = 0; page < count / 4; page++)
		worked(vms_pool_free(pool, page));
	vmsi_host.madvise = refuse_drop;
	vmsi_host.madvise_many = refuse_drops;
	vmsi_host.nanosleep = no_sleep;
	assert_true(fill_up(pool, count / 4, &error) < count / 4);
	assert_true(error == ENOMEM || error == ENOSPC);
	vmsi_host = real;
	for (unsigned page = count / 4; page < count; page++)
		must_be_noise(pool, page);
	worked(vms_pool_close(pool));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keep_host, restore_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_writer_sleeps_when_all_is_full),
		TEST(it_ends_where_the_host_drops_nothing),
	};

	/* The table does not see what the kernel's ring does. */
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
