/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include <pthread.h>
#include <sys/wait.h>

#include "host/host.h"
#include "io_fake.h"

/*
 * A pool whose reads and writes in flight come late, in another order, in parts, cancelled,
 * put off, or with an error.
 */

#define TOGETHER 64

static vms_pool *pool;
static int file;
static struct vmsi_host_calls real;

static void open_late(void **state, const struct fake_plan *plan, unsigned flags)
{
	const struct place *place = *state;

	real = vmsi_host;
	fake_install(plan);
	file = make_pages(place->path, FILE_PAGES);
	pool = must_open_pool(file, flags | VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	assert_int_equal(pool_stats(pool).engine, VMS_POOL_URING);
}

static void close_late(void)
{
	worked(vms_pool_close(pool));
	assert_int_equal(close(file), 0);
	assert_int_equal(fake_counts().closed, 1);
	assert_int_equal(fake_counts().misuses, 0);
	fake_remove();
	vmsi_host = real;
}

/* Every step-th page from one on. */
static void choose(uint64_t *pages, size_t count, uint64_t first, uint64_t step)
{
	for (size_t i = 0; i < count; i++)
		pages[i] = (first + i * step) % FILE_PAGES;
}

static ssize_t try_read_ahead(uint64_t first, size_t count)
{
	uint64_t pages[TOGETHER];

	choose(pages, count, first, 1);
	return vms_pool_prefetch(pool, pages, count);
}

/* Pages none of which is there. */
static void read_ahead(uint64_t first, size_t count)
{
	assert_int_equal(try_read_ahead(first, count), (ssize_t)count);
}

/* --- late --------------------------------------------------------------------------- */

static void *fix_third(void *unused)
{
	(void)unused;
	must_be(pool, 3, 0);
	return NULL;
}

/* A page on its way is waited for by who needs it, and hinders nobody else. */
static void a_late_read_hinders_nobody_else(void **state)
{
	const struct fake_plan plan = { .seed = 1 };
	uint64_t waits;
	pthread_t thread;

	open_late(state, &plan, 0);
	fake_delay(FAKE_FOR_EVER);
	read_ahead(0, 16);
	refused_null(vms_pool_try_fix(pool, 3, VMS_POOL_READ), EAGAIN);
	waits = pool_stats(pool).waits;
	assert_int_equal(pthread_create(&thread, NULL, fix_third, NULL), 0);
	while (pool_stats(pool).waits == waits)
		(void)vmsi_host.yield();
	/* All slots are used again and again, but for those that are being read into. */
	for (unsigned round = 0; round < 2; round++)
		for (uint64_t page = 16; page < FILE_PAGES; page++)
			must_be(pool, page, 0);
	assert_int_equal(fake_counts().flying, 16);
	fake_delay(0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (uint64_t page = 0; page < 16; page++)
		must_be(pool, page, 0);
	close_late();
}

static void *fix_third_and_end(void *unused)
{
	(void)fix_third(unused);
	pthread_testcancel();
	return NULL;
}

/* A thread that is cancelled while it waits ends when it has got the page and let go of it. */
static void who_is_cancelled_holds_nothing(void **state)
{
	const struct fake_plan plan = { .seed = 11 };
	uint64_t waits;
	pthread_t thread;
	void *result;

	open_late(state, &plan, 0);
	fake_delay(FAKE_FOR_EVER);
	read_ahead(0, 16);
	waits = pool_stats(pool).waits;
	assert_int_equal(pthread_create(&thread, NULL, fix_third_and_end, NULL), 0);
	while (pool_stats(pool).waits == waits)
		(void)vmsi_host.yield();
	assert_int_equal(pthread_cancel(thread), 0);
	fake_delay(0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	change(pool, 3, 1, 0);
	must_be(pool, 3, 1);
	close_late();
}

static void closing_waits_for_late_reads(void **state)
{
	const struct fake_plan plan = { .seed = 2 };

	open_late(state, &plan, 0);
	fake_delay(200);
	read_ahead(0, 16);
	close_late();
	assert_int_equal(fake_counts().late, 200);
}

/* The child has no part in them. */
static void a_fork_beside_late_reads(void **state)
{
	const struct fake_plan plan = { .seed = 3 };
	int status;
	pid_t child;

	open_late(state, &plan, VMS_POOL_ADDRESSED);
	fake_delay(FAKE_FOR_EVER);
	read_ahead(40, 16);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const bool refuses = !vms_pool_fix(pool, 40, VMS_POOL_READ) && errno == EBADF;

		_exit(!refuses || vms_pool_close(pool) != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fake_delay(0);
	for (uint64_t page = 40; page < 56; page++)
		must_be(pool, page, 0);
	close_late();
}

/* --- cancelled, put off, in parts --------------------------------------------------- */

static void fix_together(uint64_t first, uint64_t step, unsigned state)
{
	uint64_t pages[TOGETHER];
	void *addresses[TOGETHER];

	choose(pages, TOGETHER, first, step);
	worked(vms_pool_fix_many(pool, pages, addresses, TOGETHER, VMS_POOL_READ));
	for (size_t i = 0; i < TOGETHER; i++)
		assert_true(page_is(addresses[i], pages[i], state));
	worked(vms_pool_unfix_many(pool, pages, TOGETHER));
}

static void what_is_cancelled_is_read_all_the_same(void **state)
{
	const struct fake_plan plan = {
		.seed = 4, .put_off = 50, .shortened = 30, .refused = 30, .interrupted = 30,
		.wait_failed = 2,
	};

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		open_late(state, &plan, flags);
		for (unsigned round = 0; round < 40; round++) {
			assert_true(try_read_ahead(round * 71, 16) >= 0);
			fix_together(round * 37 % FILE_PAGES, 7, 0);
		}
		assert_int_equal(pool_stats(pool).read_errors, 0);
		close_late();
	}
}

/* A ring that is lost gives its reads to threads, and the figures tell. */
static void a_ring_is_lost_in_between(void **state)
{
	const struct fake_plan plan = {
		.seed = 5, .put_off = 20, .breaks_after = 500, .break_error = -EAGAIN,
	};

	open_late(state, &plan, 0);
	for (unsigned round = 0; round < 40; round++)
		fix_together(round * 37 % FILE_PAGES, 7, 0);
	assert_int_equal(pool_stats(pool).engine, VMS_POOL_THREADS);
	assert_int_equal(pool_stats(pool).engine_error, EAGAIN);
	close_late();
}

/* --- with an error ------------------------------------------------------------------ */

/* It is read again by who wants the page, and that one is told if it fails again. */
static void a_read_ahead_that_fails_leaves_nothing(void **state)
{
	const struct fake_plan plan = { .seed = 6, .failed = 100 };
	uint64_t resident;

	open_late(state, &plan, 0);
	resident = pool_stats(pool).resident;
	read_ahead(0, 16);
	while (pool_stats(pool).read_errors < 16)
		(void)vmsi_host.yield();
	fix_together(100, 1, 0);
	assert_int_equal(pool_stats(pool).read_errors, 16 + TOGETHER);
	assert_int_equal(pool_stats(pool).resident, resident + TOGETHER);
	for (uint64_t page = 0; page < 16; page++)
		must_be(pool, page, 0);
	close_late();
}

static void a_file_is_cut_beside_late_reads(void **state)
{
	const struct fake_plan plan = { .seed = 7 };

	open_late(state, &plan, 0);
	fake_delay(FAKE_FOR_EVER);
	read_ahead(100, 16);
	read_ahead(40, 16);
	assert_int_equal(ftruncate(file, 50 * (off_t)PAGE), 0);
	fake_delay(0);
	for (uint64_t page = 100; page < 116; page++)
		refused_null(vms_pool_fix(pool, page, VMS_POOL_READ), EIO);
	for (uint64_t page = 40; page < 50; page++)
		must_be(pool, page, 0);
	assert_true(pool_stats(pool).read_errors >= 32);
	close_late();
}

/* --- writes ------------------------------------------------------------------------- */

static void change_some(unsigned state)
{
	for (uint64_t page = 0; page < TOGETHER; page++)
		change(pool, page * 3, state, 0);
}

static void expect_in_file(void **state, int expected)
{
	const struct place *place = *state;

	for (uint64_t page = 0; page < TOGETHER; page++)
		assert_int_equal(state_in_file(place->path, page * 3), expected);
}

static void short_writes_are_gone_on_with(void **state)
{
	const struct fake_plan plan = {
		.seed = 8, .shortened = 80, .put_off = 30, .refused = 20, .interrupted = 20,
	};

	open_late(state, &plan, 0);
	for (unsigned round = 1; round < 10; round++) {
		change_some(round);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		expect_in_file(state, (int)round);
	}
	assert_int_equal(pool_stats(pool).write_errors, 0);
	close_late();
}

/* Each page stays dirty, and is written when the disk is well. */
static void a_write_back_that_fails_is_told(void **state)
{
	const struct fake_plan bad = { .seed = 9, .failed = 100 }, good = { .seed = 9 };

	open_late(state, &bad, 0);
	change_some(1);
	for (unsigned i = 0; i < 3; i++) {
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
		assert_int_equal(pool_stats(pool).dirty, TOGETHER);
	}
	expect_in_file(state, 0);
	fake_change(&good);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(pool_stats(pool).dirty, 0);
	expect_in_file(state, 1);
	close_late();
}

/* --- a device ----------------------------------------------------------------------- */

/* Of which less is there than it tells, as of a stick that was made to cheat. */
#define REAL_PAGES 128

static long say_block(int fd, struct stat *status)
{
	const long result = real.fstat(fd, status);

	status->st_mode = (status->st_mode & ~(mode_t)S_IFMT) | S_IFBLK;
	return result;
}

static long say_more(int fd)
{
	(void)fd;
	return (long)(2 * REAL_PAGES * PAGE);
}

static long write_inside(int fd, const void *bytes, size_t length, uint64_t offset)
{
	const uint64_t end = REAL_PAGES * PAGE;

	if (offset >= end)
		return -ENOSPC;
	return real.pwrite(fd, bytes, offset + length > end ? end - offset : length, offset);
}

static void a_device_is_smaller_than_told(void **state)
{
	const struct place *place = *state;
	const struct fake_plan plan = { .seed = 10 };

	open_late(state, &plan, 0);
	worked(vms_pool_close(pool));
	vmsi_host.fstat = say_block;
	vmsi_host.end = say_more;
	vmsi_host.pwrite = write_inside;
	assert_int_equal(ftruncate(file, REAL_PAGES * (off_t)PAGE), 0);
	pool = must_open_pool(file, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	assert_int_equal(vms_pool_pages(pool), 2 * REAL_PAGES);
	for (uint64_t page = 0; page < 2 * REAL_PAGES; page += 16)
		assert_true(try_read_ahead(page, 16) >= 0);
	for (uint64_t page = 0; page < REAL_PAGES; page++)
		must_be(pool, page, 0);
	refused_null(vms_pool_fix(pool, REAL_PAGES, VMS_POOL_WRITE), EIO);
	refused_null(vms_pool_fix(pool, 2 * REAL_PAGES - 1, VMS_POOL_READ), EIO);
	change(pool, REAL_PAGES - 1, 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, REAL_PAGES - 1), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(file), 0);
	fake_remove();
	vmsi_host = real;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_late_read_hinders_nobody_else),
		file_test(who_is_cancelled_holds_nothing),
		file_test(closing_waits_for_late_reads),
		file_test(a_fork_beside_late_reads),
		file_test(what_is_cancelled_is_read_all_the_same),
		file_test(a_ring_is_lost_in_between),
		file_test(a_read_ahead_that_fails_leaves_nothing),
		file_test(a_file_is_cut_beside_late_reads),
		file_test(short_writes_are_gone_on_with),
		file_test(a_write_back_that_fails_is_told),
		file_test(a_device_is_smaller_than_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
