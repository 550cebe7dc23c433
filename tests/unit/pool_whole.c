/* SPDX-License-Identifier: MIT */
#include "pool_area_fixture.h"

#include <sys/wait.h>

#include "host/host.h"
#include "no_ring.h"

/* Pages that are put into the area before they are written. */

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;

/* What is done to the files, and how their calls fail. */
static struct {
	const char *area;
	int area_fd;
	long area_write, area_sync, home_sync;   /* -errno */
	long home_write;                         /* and a part is written */
	bool is_synced;                          /* the area, since it was written last */
	unsigned area_syncs, home_syncs, batches, directory_syncs;
	unsigned home_too_early, home_writes;
	unsigned since_home_sync, most_since_home_sync;
} host;

static long noted_open(const char *path, int flags, mode_t mode)
{
	const long fd = real.open_file(path, flags, mode);

	if (fd >= 0 && host.area && strcmp(path, host.area) == 0)
		host.area_fd = (int)fd;
	return fd;
}

static void note_area_write(uint64_t offset)
{
	host.is_synced = false;
	if (offset < VMSI_AREA_HEADER_BYTES)
		return;
	host.batches++;
	if (++host.since_home_sync > host.most_since_home_sync)
		host.most_since_home_sync = host.since_home_sync;
}

static long noted_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	if (fd != host.area_fd) {
		host.home_too_early += !host.is_synced;
		host.home_writes++;
		if (host.home_write)
			(void)real.pwrite(fd, buffer, 512, offset);
		return host.home_write ? host.home_write :
					 real.pwrite(fd, buffer, length, offset);
	}
	if (host.area_write)
		return host.area_write;
	note_area_write(offset);
	return real.pwrite(fd, buffer, length, offset);
}

static long noted_fdatasync(int fd)
{
	if (fd == host.area_fd) {
		host.area_syncs++;
		host.is_synced = !host.area_sync;
		return host.area_sync ? host.area_sync : real.fdatasync(fd);
	}
	host.home_syncs++;
	host.since_home_sync = 0;
	return host.home_sync ? host.home_sync : real.fdatasync(fd);
}

static long noted_fsync(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
		host.directory_syncs++;
	return real.fsync(fd);
}

static int set_up(void **state)
{
	const int result = make_place(state);

	real = vmsi_host;
	real_uring = vmsi_uring;
	memset(&host, 0, sizeof(host));
	host.area = area_path(*state);
	host.area_fd = -1;
	vmsi_host.open_file = noted_open;
	vmsi_host.pwrite = noted_pwrite;
	vmsi_host.fdatasync = noted_fdatasync;
	vmsi_host.fsync = noted_fsync;
	vmsi_uring.open = no_ring;
	return result;
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_area(state);
}

#define whole_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* --- the order of what is done ------------------------------------------------------------ */

static void the_area_comes_first(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);

	assert_true(host.directory_syncs > 0);
	for (unsigned i = 1; i < 5; i++) {
		change_all(pool, i);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(state_in_file(place->path, i), i);
	}
	assert_int_equal(host.home_too_early, 0);
	/* More than there is room for, so that the file was synced in between. */
	assert_true(host.batches > VMSI_AREA_PLACES);
	assert_true(host.most_since_home_sync < VMSI_AREA_PLACES);
	assert_int_equal(host.area_syncs, host.batches);
	assert_true(host.home_syncs * 4 < host.batches + 20);
	assert_int_equal(pool_stats(pool).area_batches, host.batches);
	assert_int_equal(pool_stats(pool).area_mended, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void a_closed_pool_leaves_nothing(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);
	struct stat status;

	/* Some are written for room, and are pending when it is closed. */
	for (unsigned i = 0; i < 3; i++)
		for (uint64_t page = 0; page < AREA_PAGES; page++)
			change(pool, page, 1, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(stat(area_path(place), &status), 0);
	assert_int_equal(status.st_size, 0);
	write_state(fd, 0, 7);
	pool = must_open_whole(place, fd);
	must_be(pool, 0, 7);
	assert_int_equal(pool_stats(pool).area_mended, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- what was torn ------------------------------------------------------------------------- */

static void what_is_torn_is_mended(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = leave_area(place, fd, 2, 1);
	const uint64_t page = head_of(&left, 1)->entries[3].page;
	vms_pool *pool;

	tear(fd, page, 0, 1);
	write_state(fd, page + 1, 0);
	pool = must_open_whole(place, fd);
	assert_int_equal(pool_stats(pool).area_mended, 2);
	assert_int_equal(state_in_file(place->path, page), 1);
	assert_int_equal(state_in_file(place->path, page + 1), 1);
	must_be(pool, page, 1);
	worked(vms_pool_close(pool));
	/* It is mended once. */
	tear(fd, page, 0, 1);
	pool = must_open_whole(place, fd);
	assert_int_equal(pool_stats(pool).area_mended, 0);
	worked(vms_pool_close(pool));
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* In a turn that is not the first, most places are pending. */
static bool is_well_filled(void)
{
	return host.batches > 2 * VMSI_AREA_PLACES &&
		host.since_home_sync >= VMSI_AREA_PLACES / 2;
}

/* Of pages that are in several batches the last image counts. */
static void what_is_newer_stays(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left;
	vms_pool *pool = must_open_whole(place, fd);
	unsigned last, mended = 0;

	assert_true(pool_stats(pool).slots < AREA_PAGES);
	/* Without a flush the file is synced only when the area is full. */
	for (last = 1; last < 60 && !is_well_filled(); last++)
		for (uint64_t page = 0; page < AREA_PAGES && !is_well_filled(); page++)
			change(pool, page, last, 0);
	assert_true(is_well_filled());
	left = copy_area(place);
	worked(vms_pool_close(pool));
	for (uint64_t page = 0; page < AREA_PAGES; page++) {
		const int was = state_in_file(place->path, page);

		put_area(place, &left);
		tear(fd, page, (unsigned)was, 99);
		pool = must_open_whole(place, fd);
		/* It was in the area, or it was durable when that was filled again. */
		if (pool_stats(pool).area_mended) {
			assert_int_equal(state_in_file(place->path, page), was);
			mended++;
		}
		worked(vms_pool_close(pool));
		write_state(fd, page, (unsigned)was);
		page += 6;
	}
	assert_true(mended > 5);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

static void pages_of_another_size_are_mended(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = leave_area(place, fd, 1, 1);
	const uint64_t page = head_of(&left, 1)->entries[0].page;
	vms_pool *pool;

	tear(fd, page, 1, 0);
	pool = open_whole_of(place, fd, VMS_POOL_NO_WRITER, 4 * PAGE);
	assert_non_null(pool);
	assert_int_equal(pool_stats(pool).area_mended, 1);
	assert_int_equal(state_in_file(place->path, page), 1);
	worked(vms_pool_close(pool));
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* A file that was cut is not made longer by what the area has. */
static void what_was_cut_off_stays_away(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = leave_area(place, fd, 3, 1);
	struct stat status;
	vms_pool *pool;

	assert_int_equal(ftruncate(fd, 5 * PAGE + 100), 0);
	pool = must_open_whole(place, fd);
	assert_int_equal(vms_pool_pages(pool), 6);
	worked(vms_pool_close(pool));
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(status.st_size <= 6 * (off_t)PAGE);
	assert_int_equal(ftruncate(fd, 0), 0);
	put_area(place, &left);
	refused_null(open_whole(place, fd, 0), EINVAL);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 0);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* --- errors --------------------------------------------------------------------------------- */

static void an_area_that_fails_is_told(void **state)
{
	const struct place *place = *state;
	const long errors[] = { -ENOSPC, -EIO, -EDQUOT };
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const unsigned last = (unsigned)i + 1;

		change(pool, 5, last, 0);
		change(pool, 6, last, 0);
		host.area_write = errors[i];
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), (int)-errors[i]);
		host.area_write = 0;
		host.area_sync = errors[i];
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), (int)-errors[i]);
		host.area_sync = 0;
		/* It is not in the file, and not lost. */
		assert_int_equal(state_in_file(place->path, 5), i);
		assert_int_equal(state_in_file(place->path, 6), i);
		assert_int_equal(pool_stats(pool).dirty, 2);
		must_be(pool, 5, last);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(state_in_file(place->path, 5), last);
	}
	assert_int_equal(host.home_too_early, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* What was torn by a write that failed is in the area until it is whole. */
static void a_write_that_fails_keeps_its_area(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);

	change(pool, 5, 1, 0);
	host.home_write = -ENOSPC;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), ENOSPC);
	assert_int_equal(state_in_file(place->path, 5), -1);
	worked(vms_pool_close(pool));
	/* Nor can the next one write it. */
	refused_null(open_whole(place, fd, 0), ENOSPC);
	host.home_write = 0;
	pool = must_open_whole(place, fd);
	assert_int_equal(pool_stats(pool).area_mended, 1);
	must_be(pool, 5, 1);
	/* A page that is free is not written again by the pool. */
	change(pool, 6, 1, 0);
	host.home_write = -ENOSPC;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), ENOSPC);
	worked(vms_pool_free(pool, 6));
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), ENOSPC);
	host.home_write = 0;
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 6), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* The area keeps what nobody knows to be in the file. */
static void a_file_that_is_not_synced_keeps_its_area(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);
	unsigned batches;

	change_all(pool, 1);
	host.home_sync = -EIO;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	host.home_sync = 0;
	batches = host.batches;
	change(pool, 2, 2, 0);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	assert_int_equal(host.batches, batches);
	worked(vms_pool_close(pool));
	tear(fd, 7, 0, 1);
	host.home_writes = 0;
	pool = must_open_whole(place, fd);
	assert_int_equal(pool_stats(pool).area_mended, 1);
	/* The others are shown as they should be, and may not be so on the disk. */
	assert_true(host.home_writes > 100);
	must_be(pool, 7, 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* A full area has the file synced; where that fails nothing is written any more. */
static void a_full_area_waits_for_the_file(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);

	host.home_sync = -ENOSPC;
	for (unsigned i = 1; i < 60 && host.home_syncs == 0; i++)
		for (uint64_t page = 0; page < AREA_PAGES && host.home_syncs == 0; page++) {
			char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

			if (!bytes)
				break;
			fill_page(bytes, page, i);
			must_unfix(pool, page);
		}
	assert_int_equal(host.home_syncs, 1);
	assert_int_equal(host.batches, VMSI_AREA_PLACES - 1);
	host.home_sync = 0;
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EIO);
	assert_int_equal(host.batches, VMSI_AREA_PLACES - 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- processes -------------------------------------------------------------------------------- */

static void a_child_leaves_the_area_alone(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES), status;
	vms_pool *pool = must_open_whole(place, fd);
	struct stat before, after;
	pid_t child;

	change_all(pool, 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(stat(area_path(place), &before), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(vms_pool_close(pool) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stat(area_path(place), &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	refused_null(open_whole(place, fd, 0), EBUSY);
	worked(vms_pool_close(pool));
	pool = must_open_whole(place, fd);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		whole_test(the_area_comes_first),
		whole_test(a_closed_pool_leaves_nothing),
		whole_test(what_is_torn_is_mended),
		whole_test(what_is_newer_stays),
		whole_test(pages_of_another_size_are_mended),
		whole_test(what_was_cut_off_stays_away),
		whole_test(an_area_that_fails_is_told),
		whole_test(a_write_that_fails_keeps_its_area),
		whole_test(a_file_that_is_not_synced_keeps_its_area),
		whole_test(a_full_area_waits_for_the_file),
		whole_test(a_child_leaves_the_area_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
