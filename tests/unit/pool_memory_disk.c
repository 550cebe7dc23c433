/* SPDX-License-Identifier: MIT */
#include "pool_memory_fixture.h"

#include "host/host.h"
#include "no_ring.h"

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
		TEST(it_ends_where_the_host_drops_nothing),
	};

	/* The table does not see what the kernel's ring does. */
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
