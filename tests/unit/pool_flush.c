/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include "host/host.h"
#include "no_ring.h"

/* In what order a flush writes, and what it tells meanwhile. */

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;

static struct {
	uint64_t end;              /* of the last write */
	unsigned writes, behind;   /* those that did not go on from there */
	uint64_t pages;
	unsigned ranges;
	uint64_t ranged;           /* pages, of ranges that were begun to be written */
} host;

static long noted_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	host.writes++;
	host.behind += offset < host.end;
	host.end = offset + length;
	host.pages += length / PAGE;
	return real.pwrite(fd, buffer, length, offset);
}

static long noted_range(int fd, uint64_t offset, uint64_t length, unsigned flags)
{
	host.ranges++;
	host.ranged += length / PAGE;
	assert_int_equal(flags, SYNC_FILE_RANGE_WRITE);
	return real.sync_range(fd, offset, length, flags);
}

/* So that the writes of a batch go out one by one, in their order. */
static long no_thread(pthread_t *thread, size_t stack, void *(*run)(void *), void *context)
{
	(void)thread;
	(void)stack;
	(void)run;
	(void)context;
	return -EAGAIN;
}

static int set_up(void **state)
{
	real = vmsi_host;
	real_uring = vmsi_uring;
	memset(&host, 0, sizeof(host));
	vmsi_host.pwrite = noted_pwrite;
	vmsi_host.sync_range = noted_range;
	vmsi_host.start_thread = no_thread;
	vmsi_uring.open = no_ring;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_place(state);
}

#define flush_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int make_holes(const char *path, uint64_t pages)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(pages * PAGE)), 0);
	return fd;
}

#define MANY 6000u

static int count_progress(void *context, uint64_t written, uint64_t most)
{
	uint64_t *last = context;

	assert_true(written > *last && written <= most);
	assert_int_equal(most, MANY / 2);
	*last = written;
	return 0;
}

/* Whatever slots they came into: from the beginning to the end, neighbours together. */
static void pages_are_written_in_the_order_of_the_file(void **state)
{
	const struct place *place = *state;
	int fd = make_holes(place->path, MANY);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, (size_t)40 << 20, 0);
	uint64_t last = 0;

	/* 1,861 has no divisor with it: each page once, in no order. */
	for (uint64_t i = 0; i < MANY; i++) {
		const uint64_t page = i * 1861 % MANY;

		if (page / 8 % 2 == 0)
			change(pool, page, 1, 0);
	}
	worked(vms_pool_flush(pool, VMS_POOL_ALL, count_progress, &last));
	assert_int_equal(last, MANY / 2);
	assert_int_equal(host.pages, MANY / 2);
	assert_int_equal(host.behind, 0);
	/* A run may be cut where a batch ends. */
	assert_true(host.writes <= MANY / 16 + MANY / 2 / 256 + 1);
	/* The disk was not left to the sync alone. */
	assert_true(host.ranges >= MANY / 2 / 256);
	assert_true(host.ranged >= MANY / 2 && host.ranged <= MANY);
	assert_int_equal(state_in_file(place->path, 17), 1);
	assert_int_equal(pool_stats(pool).dirty, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* Of a very large file not each word is looked at. */
static void few_pages_of_many_are_found(void **state)
{
	const struct place *place = *state;
	const uint64_t pages[] = { 3, 1u << 19, (1u << 20) - 1, 70000, 4 };
	const size_t count = sizeof(pages) / sizeof(pages[0]);
	int fd = make_holes(place->path, 1u << 20);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);

	for (size_t i = 0; i < count; i++)
		change(pool, pages[i], 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(host.pages, count);
	assert_int_equal(host.behind, 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(state_in_file(place->path, pages[i]), 1);
	worked(vms_pool_close(pool));
	/* The same pages, where there is a slot for each of a few words. */
	pool = must_open_pool(fd, VMS_POOL_NO_WRITER, (size_t)20 << 20, 0);
	for (uint64_t page = 0; page < 3000; page++)
		change(pool, page, 2, 0);
	for (size_t i = 0; i < count; i++)
		change(pool, pages[i], 3, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(state_in_file(place->path, pages[i]), 3);
	assert_int_equal(state_in_file(place->path, 2999), 2);
	assert_int_equal(pool_stats(pool).dirty, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		flush_test(pages_are_written_in_the_order_of_the_file),
		flush_test(few_pages_of_many_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
