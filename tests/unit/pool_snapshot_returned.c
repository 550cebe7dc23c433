/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>

#include "host/host.h"
#include "pool/pool.h"
#include "pool_snapshot_fixture.h"

/*
 * A page that has left may be back in another slot before the slot that it had is given up.
 * The child of a fork that comes in between finds two slots of it, and keeps the page.
 */

static vms_pool *pool;
static struct vmsi_host_calls real;
static struct signs leaving, forked;
static uint64_t page;
static bool is_leaving;
static __thread bool is_evictor;

/* The first time, have another thread wait for a page that leaves. */
static long awaited_madvise_many(const struct iovec *ranges, int count, int advice)
{
	if (is_evictor && !is_leaving) {
		is_leaving = true;
		page = (uint64_t)((char *)ranges[0].iov_base - pool->view.memory) / PAGE;
		give_sign(&leaving);
		while (!(vmsi_word_load(vmsi_pool_word(pool, page)) & VMSI_WORD_WAITERS))
			(void)sched_yield();
	}
	return real.madvise_many(ranges, count, advice);
}

/* The page is gone, and its slot is not given up: so it stays until the fork is over. */
static long late_futex_wake(const void *address, int count)
{
	const long result = real.futex_wake(address, count);

	if (is_evictor && is_leaving && address == vmsi_pool_word(pool, page))
		await_sign(&forked);
	return result;
}

static void *evict(void *unused)
{
	is_evictor = true;
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		must_be(pool, i, 0);
	return unused;
}

static void back_before_its_slot_is_free(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	pthread_t thread;
	pid_t child;

	leaving = make_signs();
	forked = make_signs();
	real = vmsi_host;
	pool = must_open_snapshots(fd, VMS_POOL_ADDRESSED | VMS_POOL_NO_WRITER,
				   SNAPSHOT_BYTES);
	vmsi_host.madvise_many = awaited_madvise_many;
	vmsi_host.futex_wake = late_futex_wake;
	assert_int_equal(pthread_create(&thread, NULL, evict, NULL), 0);
	await_sign(&leaving);
	change(pool, page, 1, 0);
	child = fork();
	if (child == 0) {
		child_needs(child_has(pool, page, 1));
		child_needs(vms_pool_close(pool) == 0);
		_exit(0);
	}
	must_end_well(child);
	give_sign(&forked);
	assert_int_equal(pthread_join(thread, NULL), 0);
	vmsi_host = real;
	must_be(pool, page, 1);
	drop_signs(&leaving);
	drop_signs(&forked);
	close_all(pool, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(back_before_its_slot_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
