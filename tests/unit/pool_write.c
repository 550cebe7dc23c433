/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include "host/host.h"
#include "no_ring.h"

/* When pages are written, and what becomes of those that cannot be. */

#define FAR 1000000

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;

/* The page of which writes fail, and how; and the log. */
static struct {
	int64_t page;
	long error;
	unsigned failed;
	uint64_t durable;
	unsigned asked;
	bool refuses;
	int sync_error;
	unsigned syncs;
} host;

static bool has_page(size_t length, uint64_t offset)
{
	return host.page >= 0 && offset <= (uint64_t)host.page * PAGE &&
		(uint64_t)host.page * PAGE < offset + length;
}

static long failing_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	if (has_page(length, offset)) {
		host.failed++;
		return host.error;
	}
	return real.pwrite(fd, buffer, length, offset);
}

static long failing_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (has_page(length, offset)) {
		host.failed++;
		return host.error;
	}
	return real.pread(fd, buffer, length, offset);
}

static long counted_sync(int fd)
{
	host.syncs++;
	return host.sync_error ? host.sync_error : real.fdatasync(fd);
}

static int set_up(void **state)
{
	real = vmsi_host;
	real_uring = vmsi_uring;
	memset(&host, 0, sizeof(host));
	host.page = -1;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_place(state);
}

#define write_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int make_durable(void *context, uint64_t lsn)
{
	assert_ptr_equal(context, &host);
	host.asked++;
	if (host.refuses)
		return -1;
	host.durable = lsn;
	return 0;
}

static vms_pool *open_with_log(int fd, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.page_size = PAGE,
		.ram = SMALL_RAM,
		.make_durable = make_durable,
		.context = &host,
	};

	return vms_pool_open(fd, &options);
}

/* --- the log is written ahead ------------------------------------------------------------ */

static void a_log_is_waited_for(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);

	change(pool, 1, 1, 10);
	change(pool, 2, 1, 20);
	change(pool, 3, 1, 0);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EAGAIN);
	assert_int_equal(state_in_file(place->path, 1), 0);
	assert_int_equal(state_in_file(place->path, 2), 0);
	assert_int_equal(state_in_file(place->path, 3), 1);
	worked(vms_pool_durable(pool, 10));
	worked(vms_pool_flush(pool, 10, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 1), 1);
	assert_int_equal(state_in_file(place->path, 2), 0);
	/* The first number decides what is written, the last one whether it may be. */
	change(pool, 1, 2, 15);
	change(pool, 1, 3, 30);
	refused(vms_pool_flush(pool, 15, NULL, NULL), EAGAIN);
	worked(vms_pool_durable(pool, 30));
	worked(vms_pool_durable(pool, 5));
	assert_int_equal(pool_stats(pool).durable, 30);
	worked(vms_pool_flush(pool, 15, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 1), 3);
	assert_int_equal(state_in_file(place->path, 2), 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 2), 1);
	assert_int_equal(pool_stats(pool).dirty, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void numbers_are_for_who_writes(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 4);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	refused(vms_pool_dirty(pool, 1, 5), EINVAL);
	(void)must_fix(pool, 1, VMS_POOL_READ);
	refused(vms_pool_dirty(pool, 1, 5), EINVAL);
	must_unfix(pool, 1);
	(void)must_fix(pool, 1, VMS_POOL_WRITE);
	refused(vms_pool_dirty(pool, 1, 0), EINVAL);
	refused(vms_pool_dirty(pool, 1, UINT64_MAX), EINVAL);
	refused(vms_pool_dirty(pool, 4, 5), ERANGE);
	worked(vms_pool_dirty(pool, 1, 5));
	must_unfix(pool, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void a_callback_makes_it_durable(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = open_with_log(fd, flags | VMS_POOL_NO_WRITER);

		assert_non_null(pool);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			change(pool, page, 1, 100 + page);
		/* More than there is room for: some were written, none too early. */
		assert_true(host.asked > 0);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			assert_true(state_in_file(place->path, page) == 0 ||
				    100 + page <= host.durable);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(host.durable, 100 + FILE_PAGES - 1);
		assert_int_equal(state_in_file(place->path, FILE_PAGES - 1), 1);
		host.refuses = true;
		change(pool, 1, 2, 10000);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EAGAIN);
		host.refuses = false;
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void what_is_not_durable_does_not_leave(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	const uint64_t slots = pool_stats(pool).slots;
	uint64_t page = 0;

	assert_true(slots < FILE_PAGES);
	for (; page < slots; page++)
		change(pool, page, 1, 100 + page);
	refused_null(vms_pool_fix(pool, page, VMS_POOL_READ), ENOBUFS);
	worked(vms_pool_durable(pool, 100));
	must_be(pool, page, 0);
	for (page = 1; page < slots; page++)
		assert_int_equal(state_in_file(place->path, page), 0);
	assert_int_equal(state_in_file(place->path, 0), 1);
	assert_true(pool_stats(pool).held_back > 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- errors -------------------------------------------------------------------------------- */

static void a_failed_write_is_told(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;

	vmsi_uring.open = no_ring;
	vmsi_host.pwrite = failing_pwrite;
	pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	assert_int_equal(pool_stats(pool).engine, VMS_POOL_THREADS);
	assert_int_equal(pool_stats(pool).engine_error, EPERM);
	worked(vms_pool_durable(pool, FAR));
	change(pool, 5, 1, 50);
	change(pool, 7, 1, 70);
	host.page = 5;
	host.error = -ENOSPC;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), ENOSPC);
	assert_int_equal(state_in_file(place->path, 5), 0);
	assert_int_equal(state_in_file(place->path, 7), 1);
	assert_int_equal(pool_stats(pool).dirty, 1);
	assert_int_equal(pool_stats(pool).write_errors, 1);
	must_be(pool, 5, 1);
	/* Its first number is as it was. */
	change(pool, 5, 2, 90);
	host.page = -1;
	worked(vms_pool_flush(pool, 60, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 5), 2);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void a_full_disk_stops_misses(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	uint64_t page = 0;
	vms_pool *pool;

	vmsi_uring.open = no_ring;
	vmsi_host.pwrite = failing_pwrite;
	pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	for (; page < pool_stats(pool).slots; page++)
		change(pool, page, 1, 0);
	host.error = -ENOSPC;
	host.page = 0;
	/* One page that cannot be written is no reason. */
	must_be(pool, page, 0);
	assert_true(host.failed > 0);
	must_be(pool, 0, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* A run of neighbours is one write, of which the others are made all the same. */
static void neighbours_of_a_failed_page_are_written(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;

	vmsi_uring.open = no_ring;
	vmsi_host.pwrite = failing_pwrite;
	pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	for (uint64_t page = 3; page < 13; page++)
		change(pool, page, 1, 0);
	host.page = 6;
	host.error = -EIO;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	for (uint64_t page = 3; page < 13; page++)
		assert_int_equal(state_in_file(place->path, page), page != 6);
	assert_int_equal(pool_stats(pool).dirty, 1);
	assert_int_equal(pool_stats(pool).write_errors, 1);
	host.page = -1;
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 6), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static long full_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	(void)fd;
	(void)buffer;
	(void)length;
	(void)offset;
	return -ENOSPC;
}

/*
 * Who needs room meets the few pages of the small queue again and again: each of them is
 * one that cannot be written, and none of them is progress.
 */
static void a_full_disk_is_told_to_who_needs_room(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;
	uint64_t slots;

	vmsi_uring.open = no_ring;
	vmsi_host.pwrite = full_pwrite;
	pool = must_open_pool(fd, VMS_POOL_NO_WRITER, (size_t)800 << 10, 0);
	slots = pool_stats(pool).slots;
	for (uint64_t page = 0; page < slots; page++) {
		change(pool, page, 1, 0);
		if (page < slots - slots / 10)
			worked(vms_pool_hint(pool, page, VMS_POOL_KEEP));
	}
	refused_null(vms_pool_fix(pool, slots, VMS_POOL_READ), ENOSPC);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void a_failed_sync_is_for_ever(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;

	vmsi_host.fdatasync = counted_sync;
	pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	change(pool, 5, 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(host.syncs, 1);
	change(pool, 5, 2, 0);
	host.sync_error = -ENOSPC;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	host.sync_error = 0;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	change(pool, 6, 1, 0);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	assert_int_equal(state_in_file(place->path, 6), 0);
	must_be(pool, 6, 1);
	must_be(pool, 7, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void a_failed_read_is_told(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		const uint64_t pages[] = { 3, 5 };
		void *addresses[2] = { NULL, NULL };
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool;

		vmsi_uring.open = no_ring;
		vmsi_host.pread = failing_pread;
		pool = must_open_pool(fd, flags, SMALL_RAM, 0);
		host.page = 5;
		host.error = -EIO;
		refused_null(vms_pool_fix(pool, 5, VMS_POOL_READ), EIO);
		refused(vms_pool_fix_many(pool, pages, addresses, 2, VMS_POOL_WRITE), EIO);
		assert_null(addresses[0]);
		refused(vms_pool_unfix(pool, 3), EINVAL);
		assert_int_equal(pool_stats(pool).resident, 1);
		host.error = -EAGAIN;
		refused_null(vms_pool_fix(pool, 5, VMS_POOL_READ), EIO);
		host.page = -1;
		must_be(pool, 5, 0);
		vmsi_host.pread = real.pread;
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void a_file_is_cut_behind_its_back(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 2 * FILE_PAGES);

	must_be(pool, 10, 0);
	assert_int_equal(ftruncate(fd, 10 * (off_t)PAGE + 7), 0);
	refused_null(vms_pool_fix(pool, 11, VMS_POOL_READ), EIO);
	must_be(pool, 10, 0);
	must_be(pool, 9, 0);
	assert_int_equal(pool_stats(pool).read_errors, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- flush --------------------------------------------------------------------------------- */

static unsigned told;

static int note_progress(void *context, uint64_t written, uint64_t most)
{
	assert_true(written <= most);
	told++;
	return context ? -1 : 0;
}

static void a_flush_tells_how_far_it_is(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);

	for (uint64_t page = 0; page < 200; page += 2)
		change(pool, page, 1, 0);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, note_progress, &told), ECANCELED);
	told = 0;
	worked(vms_pool_flush(pool, VMS_POOL_ALL, note_progress, NULL));
	assert_true(told > 1);
	assert_int_equal(pool_stats(pool).dirty, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void neighbours_are_written_together(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	uint64_t before;

	for (uint64_t page = 20; page-- > 10;)
		change(pool, page, 1, 0);
	before = pool_stats(pool).writes;
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(pool_stats(pool).writes, before + 1);
	assert_int_equal(pool_stats(pool).pages_written, 10);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* The writer writes what is next to leave, when somebody has met dirty pages. */
static void a_thread_writes(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	for (unsigned round = 1; pool_stats(pool).pages_written ==
		     pool_stats(pool).written_for_room; round++)
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			change(pool, page, round % 90, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		write_test(a_log_is_waited_for),
		write_test(numbers_are_for_who_writes),
		write_test(a_callback_makes_it_durable),
		write_test(what_is_not_durable_does_not_leave),
		write_test(a_failed_write_is_told),
		write_test(a_full_disk_stops_misses),
		write_test(neighbours_of_a_failed_page_are_written),
		write_test(a_full_disk_is_told_to_who_needs_room),
		write_test(a_failed_sync_is_for_ever),
		write_test(a_failed_read_is_told),
		write_test(a_file_is_cut_behind_its_back),
		write_test(a_flush_tells_how_far_it_is),
		write_test(neighbours_are_written_together),
		write_test(a_thread_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
