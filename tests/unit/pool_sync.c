/* SPDX-License-Identifier: MIT */
#include "pool_flusher.h"

#include "host/host.h"
#include "no_ring.h"

/* Pages are written while the file is made durable, and nobody is told too much of it. */

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;

static struct {
	_Atomic unsigned in_sync, syncs, together;
	_Atomic bool may_end;
	_Atomic int error;           /* told to one sync only, as by the kernel */
	_Atomic uint64_t slow_page;  /* whose write takes its time; and what it has come to */
	_Atomic unsigned slow_begun, slow_ended, too_early;
} host;

static void linger(void)
{
	for (unsigned i = 0; i < 50; i++)
		(void)sched_yield();
}

static long held_sync(int fd)
{
	const int error = atomic_exchange(&host.error, 0);
	long result;

	if (atomic_fetch_add(&host.in_sync, 1) > 0)
		atomic_fetch_add(&host.together, 1);
	if (atomic_load(&host.slow_begun) != atomic_load(&host.slow_ended))
		atomic_fetch_add(&host.too_early, 1);
	atomic_fetch_add(&host.syncs, 1);
	while (!atomic_load(&host.may_end))
		(void)sched_yield();
	if (error)
		linger();
	result = error ? error : real.fdatasync(fd);
	atomic_fetch_sub(&host.in_sync, 1);
	return result;
}

static long slow_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	const uint64_t place = atomic_load(&host.slow_page) * PAGE;
	const bool is_slow = offset <= place && place < offset + length;
	long result;

	if (!is_slow)
		return real.pwrite(fd, buffer, length, offset);
	atomic_fetch_add(&host.slow_begun, 1);
	if (!atomic_load(&host.in_sync))
		linger();
	result = real.pwrite(fd, buffer, length, offset);
	atomic_fetch_add(&host.slow_ended, 1);
	return result;
}

static int set_up(void **state)
{
	real = vmsi_host;
	real_uring = vmsi_uring;
	memset(&host, 0, sizeof(host));
	host.slow_page = UINT64_MAX / PAGE;
	vmsi_host.fdatasync = held_sync;
	vmsi_host.pwrite = slow_pwrite;
	vmsi_uring.open = no_ring;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_place(state);
}

static void pages_leave_while_the_file_is_synced(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	struct flusher flusher;

	change(pool, 0, 1, 0);
	begin_flush(&flusher, pool);
	wait_for(&host.in_sync, 1);
	/* More than there is room for, so that some are written. */
	for (uint64_t page = 1; page < FILE_PAGES; page++)
		change(pool, page, 1, 0);
	assert_true(pool_stats(pool).written_for_room > 0);
	assert_int_equal(atomic_load(&host.in_sync), 1);
	atomic_store(&host.may_end, true);
	assert_int_equal(end_flush(&flusher), 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		assert_int_equal(state_in_file(place->path, page), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* The kernel tells of a lost page once: not only the flush that was told has failed. */
static void all_who_flush_are_told_of_a_failed_sync(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	struct flusher one, other;

	atomic_store(&host.error, -EIO);
	change(pool, 1, 1, 0);
	begin_flush(&one, pool);
	wait_for(&host.in_sync, 1);
	/* What it is to make durable is written after the error came, and before it is told. */
	atomic_store(&host.slow_page, 2);
	change(pool, 2, 1, 0);
	begin_flush(&other, pool);
	wait_for(&host.slow_ended, 1);
	atomic_store(&host.may_end, true);
	assert_int_equal(end_flush(&one), EIO);
	assert_int_equal(end_flush(&other), EIO);
	assert_int_equal(atomic_load(&host.together), 0);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	assert_int_equal(atomic_load(&host.syncs), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* A page that is being written to make room is waited for before the file is synced. */
static void what_is_being_written_is_synced(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	struct flusher flusher;

	atomic_store(&host.may_end, true);
	atomic_store(&host.slow_page, 3);
	change(pool, 3, 1, 0);
	begin_flush(&flusher, pool);
	wait_for(&host.slow_begun, 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(end_flush(&flusher), 0);
	assert_int_equal(atomic_load(&host.too_early), 0);
	assert_int_equal(state_in_file(place->path, 3), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_leave_while_the_file_is_synced),
		TEST(all_who_flush_are_told_of_a_failed_sync),
		TEST(what_is_being_written_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
