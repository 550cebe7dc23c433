/* SPDX-License-Identifier: MIT */
#include "pool_memory_fixture.h"

#include <stdatomic.h>

#include "host/host.h"
#include "no_ring.h"

/* Pages that are not committed are more than the RAM, and never in the file. */

/*
 * The threads of pools call the host, so that its table is as it is before any begins, and
 * what it does is said by these.
 */
static struct vmsi_host_calls real;
static atomic_bool is_hasty;                  /* no sleep takes any time */
static atomic_bool cannot_be_read;            /* what is aside */
static atomic_bool cannot_be_written;         /* home */

static vms_pool *open_no_steal(int fd, unsigned flags)
{
	struct vms_pool_options options = memory_options(".");

	options.flags = VMS_POOL_NO_STEAL | flags;
	return vms_pool_open(fd, &options);
}

static vms_pool *must_open_no_steal(int fd, unsigned flags)
{
	vms_pool *pool = open_no_steal(fd, flags);

	assert_non_null(pool);
	return pool;
}

/* Half of the pages are committed, the others are not. */
static void only_what_is_committed_is_in_the_file(void **state)
{
	const struct place *place = *state;
	const unsigned ways[] = { 0, VMS_POOL_ADDRESSED, VMS_POOL_NO_WRITER };

	for (size_t way = 0; way < 3; way++) {
		int fd = make_pages(place->path, MANY);
		vms_pool *pool = must_open_no_steal(fd, ways[way]);

		for (uint64_t page = 0; page < MANY; page++)
			change(pool, page, 1, 100 + page);
		assert_true(pool_stats(pool).aside > 1000);
		assert_true(pool_stats(pool).used <= pool_stats(pool).ram);
		file_has(place->path, 0, MANY, 0);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EAGAIN);
		file_has(place->path, 0, MANY, 0);
		worked(vms_pool_durable(pool, 100 + MANY / 2 - 1));
		worked(vms_pool_flush(pool, 100 + MANY / 2 - 1, NULL, NULL));
		file_has(place->path, 0, MANY / 2, 1);
		file_has(place->path, MANY / 2, MANY, 0);
		for (uint64_t page = 0; page < MANY; page++)
			must_be(pool, page, 1);
		file_has(place->path, MANY / 2, MANY, 0);
		worked(vms_pool_durable(pool, 100 + MANY));
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		file_has(place->path, 0, MANY, 1);
		assert_int_equal(pool_stats(pool).aside, 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* A page that was aside, and is changed again, has both changes' numbers. */
static void numbers_come_back_with_the_page(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, MANY);
	vms_pool *pool = must_open_no_steal(fd, 0);

	for (uint64_t page = 0; page < MANY; page++)
		change(pool, page, 1, 10);
	worked(vms_pool_durable(pool, 10));
	/* The later change is not committed, so the earlier one cannot be written. */
	for (uint64_t page = 0; page < 100; page++)
		change(pool, page, 2, 20);
	for (uint64_t page = 100; page < MANY; page++)
		must_be(pool, page, 1);
	refused(vms_pool_flush(pool, 10, NULL, NULL), EAGAIN);
	file_has(place->path, 0, 100, 0);
	file_has(place->path, 100, MANY, 1);
	/* No page has a change up to 9 that the file has not but these. */
	refused(vms_pool_flush(pool, 10, NULL, NULL), EAGAIN);
	worked(vms_pool_flush(pool, 9, NULL, NULL));
	worked(vms_pool_durable(pool, 20));
	worked(vms_pool_flush(pool, 10, NULL, NULL));
	file_has(place->path, 0, 100, 2);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* What was written while it was aside is not read from the file. */
static void what_is_rolled_back_is_written_over(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, MANY);
	vms_pool *pool = must_open_no_steal(fd, VMS_POOL_NO_WRITER);

	for (uint64_t page = 0; page < MANY; page++)
		change(pool, page, 1, 10 + page);
	/* An undo is a change back. */
	for (uint64_t page = 0; page < MANY; page++)
		change(pool, page, 0, 10 + MANY + page);
	worked(vms_pool_durable(pool, 10 + 2 * MANY));
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	file_has(place->path, 0, MANY, 0);
	worked(vms_pool_free(pool, 7));
	change(pool, 8, 3, 11 + 2 * MANY);
	worked(vms_pool_close(pool));
	file_has(place->path, 0, MANY, 0);
	assert_int_equal(close(fd), 0);
}

static int count_batches(void *context, uint64_t written, uint64_t most)
{
	assert_true(written <= most);
	++*(unsigned *)context;
	return 0;
}

static int give_up(void *context, uint64_t written, uint64_t most)
{
	(void)context;
	(void)most;
	return written > 700 ? -1 : 0;
}

static void a_flush_tells_how_far_it_is(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, MANY);
	vms_pool *pool = must_open_no_steal(fd, 0);
	unsigned batches = 0;

	for (uint64_t page = 0; page < MANY; page++)
		change(pool, page, 1, 10);
	worked(vms_pool_durable(pool, 10));
	refused(vms_pool_flush(pool, 10, give_up, NULL), ECANCELED);
	worked(vms_pool_flush(pool, 10, count_batches, &batches));
	assert_true(batches > 10);
	file_has(place->path, 0, MANY, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static long bad_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	return atomic_load(&cannot_be_read) ? -EIO : real.preadv(fd, parts, count, offset);
}

static int home;

static long short_sleep(unsigned nanoseconds)
{
	return atomic_load(&is_hasty) ? 0 : real.nanosleep(nanoseconds);
}

static long bad_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	struct stat one, other;

	if (!atomic_load(&cannot_be_written))
		return real.pwrite(fd, buffer, length, offset);
	assert_int_equal(fstat(fd, &one), 0);
	assert_int_equal(fstat(home, &other), 0);
	return one.st_ino == other.st_ino ? -ENOSPC :
					    real.pwrite(fd, buffer, length, offset);
}

/* Whatever does not come home stays aside, and does so later. */
static void a_flush_that_fails_has_lost_nothing(void **state)
{
	const struct place *place = *state;
	vms_pool *pool;

	home = make_pages(place->path, MANY);
	pool = must_open_no_steal(home, VMS_POOL_NO_WRITER);
	for (uint64_t page = 0; page < MANY; page++)
		change(pool, page, 1, 10);
	worked(vms_pool_durable(pool, 10));
	atomic_store(&cannot_be_read, true);
	refused(vms_pool_flush(pool, 10, NULL, NULL), EIO);
	atomic_store(&cannot_be_read, false);
	atomic_store(&cannot_be_written, true);
	atomic_store(&is_hasty, true);
	refused(vms_pool_flush(pool, 10, NULL, NULL), ENOSPC);
	atomic_store(&cannot_be_written, false);
	atomic_store(&is_hasty, false);
	for (uint64_t page = 0; page < MANY; page++)
		must_be(pool, page, 1);
	worked(vms_pool_flush(pool, 10, NULL, NULL));
	file_has(place->path, 0, MANY, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(home), 0);
}

static void noise_in_file_is(int fd, uint64_t page, bool is_there)
{
	char expected[PAGE], found[PAGE];

	fill_noise(expected, page, 1);
	assert_int_equal(pread(fd, found, PAGE, (off_t)(page * PAGE)), PAGE);
	assert_int_equal(memcmp(expected, found, PAGE) == 0, is_there);
}

/* Pages from one on have a change, until nothing can leave. Returns how many have. */
static unsigned change_noise(vms_pool *pool, unsigned page, unsigned end, uint64_t lsn)
{
	for (; page < end; page++) {
		char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		if (!bytes) {
			assert_int_equal(errno, ENOSPC);
			break;
		}
		fill_noise(bytes, page, 1);
		worked(vms_pool_dirty(pool, page, lsn));
		must_unfix(pool, page);
	}
	return page;
}

/* All that is in RAM has a change with a number: what has none of these is aside. */
static void change_what_is_there(vms_pool *pool, unsigned end, uint64_t lsn, bool *is_there)
{
	for (unsigned page = 0; page < end; page++) {
		is_there[page] = vms_pool_try_fix(pool, page, VMS_POOL_WRITE);
		if (!is_there[page])
			continue;
		worked(vms_pool_dirty(pool, page, lsn));
		must_unfix(pool, page);
	}
}

/*
 * RAM and swap file are full of two transactions, one of which is committed. To bring it home
 * it has to be read, and there is room for that.
 */
static void a_flush_works_though_all_is_full(void **state)
{
	const struct place *place = *state;
	const unsigned ways[] = { 0, VMS_POOL_ADDRESSED };
	const unsigned first = 800;

	for (size_t way = 0; way < 2; way++) {
		struct vms_pool_options options = memory_options(".");
		bool is_later[MANY];
		unsigned count;
		vms_pool *pool;

		home = make_pages(place->path, MANY);
		options.flags = VMS_POOL_NO_STEAL | VMS_POOL_NO_WRITER | ways[way];
		options.swap_bytes = 4 << 20;
		pool = vms_pool_open(home, &options);
		assert_non_null(pool);
		atomic_store(&is_hasty, true);
		assert_int_equal(change_noise(pool, 0, first, 10), first);
		count = change_noise(pool, first, MANY, 20);
		assert_in_range(count, first + 100, MANY - 1);
		change_what_is_there(pool, first, 20, is_later);
		worked(vms_pool_durable(pool, 10));
		atomic_store(&cannot_be_written, true);
		refused(vms_pool_flush(pool, 10, NULL, NULL), ENOSPC);
		atomic_store(&cannot_be_written, false);
		for (unsigned page = 0; page < count; page++)
			must_be_noise(pool, page);
		noise_in_file_is(home, 0, false);
		/* Those in RAM have both changes. */
		refused(vms_pool_flush(pool, 10, NULL, NULL), EAGAIN);
		for (unsigned page = 0; page < count; page++)
			noise_in_file_is(home, page, page < first && !is_later[page]);
		for (unsigned page = 0; page < count; page++)
			must_be_noise(pool, page);
		worked(vms_pool_durable(pool, 20));
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		for (unsigned page = 0; page < count; page++)
			noise_in_file_is(home, page, true);
		atomic_store(&is_hasty, false);
		worked(vms_pool_close(pool));
		assert_int_equal(close(home), 0);
	}
}

static void it_is_refused_where_it_has_no_sense(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8);

	refused_null(open_no_steal(fd, VMS_POOL_READ_ONLY), EINVAL);
	refused_null(open_no_steal(fd, VMS_POOL_MEMORY), EINVAL);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(only_what_is_committed_is_in_the_file),
		file_test(numbers_come_back_with_the_page),
		file_test(what_is_rolled_back_is_written_over),
		file_test(a_flush_tells_how_far_it_is),
		file_test(a_flush_that_fails_has_lost_nothing),
		file_test(a_flush_works_though_all_is_full),
		file_test(it_is_refused_where_it_has_no_sense),
	};

	real = vmsi_host;
	vmsi_host.preadv = bad_preadv;
	vmsi_host.pwrite = bad_pwrite;
	vmsi_host.nanosleep = short_sleep;
	/* The table does not see what the kernel's ring does. */
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
