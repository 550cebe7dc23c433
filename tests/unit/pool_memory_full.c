/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "pool_memory_fixture.h"

#include "host/host.h"
#include "no_ring.h"

/* Pools of memory whose swap file is full, fails, or has something else in it. */

/*
 * The threads of pools call the host, so that its table is as it is before any begins, and
 * what it does is said by these.
 */
static struct vmsi_host_calls real;
static atomic_bool is_hasty;                 /* no sleep takes any time */
static atomic_bool cannot_be_read, is_read_wrong, cannot_be_written;

/* --- full, and damaged ------------------------------------------------------------------------------ */

static void without_a_file_full_is_an_error(void **state)
{
	struct vms_pool_options options = memory_options(NULL);

	(void)state;
	full_is_an_error(&options);
}

static void a_full_file_is_an_error(void **state)
{
	struct vms_pool_options options = memory_options(".");

	(void)state;
	options.swap_bytes = 4 << 20;
	full_is_an_error(&options);
	options.flags |= VMS_POOL_NO_WRITER | VMS_POOL_ADDRESSED;
	full_is_an_error(&options);
}

/* Without what is in RAM as well the file has room for less than that and the rest. */
static void doubles_are_given_up(void **state)
{
	struct vms_pool_options options = memory_options(".");
	vms_pool *pool;
	unsigned count;
	int error;

	(void)state;
	options.swap_bytes = 6 << 20;
	options.flags |= VMS_POOL_NO_WRITER;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	/* A part of the file is lost to what was freed here and there. */
	count -= 400;
	for (unsigned page = count; page < count + 400; page++)
		worked(vms_pool_free(pool, page));
	assert_true((count + 16) * PAGE > options.swap_bytes);
	/* All are read and changed again and again, and there is room for them. */
	for (unsigned round = 0; round < 3; round++)
		for (unsigned page = 0; page < count; page++) {
			must_be_noise(pool, page);
			if (page % 5 == round)
				fill_noise(must_fix(pool, page, VMS_POOL_WRITE), page, 1);
			if (page % 5 == round)
				must_unfix(pool, page);
		}
	worked(vms_pool_close(pool));
}

/* --- full, and read even so --------------------------------------------------------------------------- */

static long short_sleep(unsigned nanoseconds)
{
	return atomic_load(&is_hasty) ? 0 : real.nanosleep(nanoseconds);
}

/*
 * Read all pages, and try to change some of them, to what they are. Returns the last one that
 * there is no room for; count: there is none.
 */
static unsigned read_all_and_change_some(vms_pool *pool, unsigned count)
{
	unsigned last = count;

	for (unsigned page = 0; page < count; page++) {
		must_be_noise(pool, page);
		if (page % 29)
			continue;
		errno = 0;
		if (vms_pool_fix(pool, page, VMS_POOL_WRITE)) {
			must_unfix(pool, page);
			continue;
		}
		assert_int_equal(errno, ENOSPC);
		must_be_noise(pool, page);
		last = page;
	}
	return last;
}

/* It is there to be read, and there is no room for what it would become. */
static void only_reading_works(vms_pool *pool, unsigned page)
{
	const uint64_t frames = pool_stats(pool).resident;
	const char *bytes;
	uint64_t ticket;

	must_be_noise(pool, page);
	refused_null(vms_pool_try_fix(pool, page, VMS_POOL_WRITE), ENOSPC);
	must_fix(pool, page, VMS_POOL_READ);
	refused_null(vms_pool_try_fix(pool, page, VMS_POOL_WRITE), EAGAIN);
	must_unfix(pool, page);
	bytes = vms_pool_begin(pool, page, &ticket);
	assert_non_null(bytes);
	refused_null(vms_pool_upgrade(pool, page, ticket), ENOSPC);
	assert_true(vms_pool_validate(pool, page, ticket));
	worked(vms_pool_hint(pool, page, VMS_POOL_KEEP));
	worked(vms_pool_hint(pool, page, VMS_POOL_DONE));
	must_be_noise(pool, page);
	assert_int_equal(pool_stats(pool).resident, frames);
	assert_true(pool_stats(pool).used <= pool_stats(pool).ram);
}

static void full_can_be_read(const struct vms_pool_options *options)
{
	vms_pool *pool = must_open_memory(options);
	unsigned count, last;
	uint64_t ticket;
	int error;

	worked(vms_pool_grow(pool, MANY));
	atomic_store(&is_hasty, true);
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	last = read_all_and_change_some(pool, count);
	assert_true(last < count);
	only_reading_works(pool, last);
	/* Those in RAM are changed, and what is freed of them is room for the other. */
	for (unsigned page = 0; page < count; page++)
		if (page != last && page % 3 == 0)
			worked(vms_pool_free(pool, page));
	must_be_noise(pool, last);
	assert_non_null(vms_pool_begin(pool, last, &ticket));
	assert_non_null(vms_pool_upgrade(pool, last, ticket));
	must_unfix(pool, last);
	assert_non_null(vms_pool_try_fix(pool, last, VMS_POOL_WRITE));
	must_unfix(pool, last);
	for (unsigned page = 0; page < count; page++)
		if (page == last || page % 3)
			must_be_noise(pool, page);
	worked(vms_pool_free(pool, last));
	assert_true(page_is_zero(must_fix(pool, last, VMS_POOL_READ)));
	must_unfix(pool, last);
	worked(vms_pool_close(pool));
	atomic_store(&is_hasty, false);
}

static void what_is_aside_can_be_read_though_all_is_full(void **state)
{
	const unsigned ways[] = { 0, VMS_POOL_ADDRESSED, VMS_POOL_NO_WRITER };
	struct vms_pool_options options = memory_options(".");

	(void)state;
	options.swap_bytes = 3 << 20;
	for (size_t way = 0; way < 3; way++) {
		options.flags = VMS_POOL_MEMORY | ways[way];
		full_can_be_read(&options);
	}
	options.swap_bytes = 0;
	options.swap_path = NULL;
	full_can_be_read(&options);
}

#define READERS 12
#define READS 400

struct reader {
	vms_pool *pool;
	unsigned count, seed;
};

static void *read_pages(void *argument)
{
	const struct reader *reader = argument;
	unsigned page = reader->seed * 37;

	for (unsigned i = 0; i < READS; i++) {
		char expected[PAGE];
		const char *bytes;

		page = (page * 1103515245u + 12345u) % reader->count;
		bytes = vms_pool_fix(reader->pool, page, VMS_POOL_READ);
		fill_noise(expected, page, 1);
		if (!bytes || memcmp(bytes, expected, PAGE) != 0)
			return argument;
		if (vms_pool_unfix(reader->pool, page) != 0)
			return argument;
	}
	return NULL;
}

/* More of them than pages that can be read so at a time: they take turns. */
static void threads_read_though_all_is_full(void **state)
{
	struct vms_pool_options options = memory_options(NULL);
	struct reader readers[READERS];
	pthread_t threads[READERS];
	vms_pool *pool;
	unsigned count;
	int error;

	(void)state;
	options.ram = RAM / 2;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ pool, count, i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, read_pages,
						&readers[i]), 0);
	}
	for (unsigned i = 0; i < READERS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	worked(vms_pool_close(pool));
}

/* --- bad ------------------------------------------------------------------------------------------------ */

/* Or one bit is another one. */
static long bad_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	const long result = atomic_load(&cannot_be_read) ?
		-EIO : real.preadv(fd, parts, count, offset);

	if (atomic_load(&is_read_wrong) && result > 0)
		((char *)parts[count - 1].iov_base)[7] ^= 1;
	return result;
}

static void must_tell_of_it(vms_pool *pool, atomic_bool *is_bad)
{
	unsigned failed = 0;

	atomic_store(is_bad, true);
	for (uint64_t page = 0; page < MANY; page++) {
		errno = 0;
		if (vms_pool_fix(pool, page, VMS_POOL_READ)) {
			must_unfix(pool, page);
			must_be_kind(pool, page, 1);
			continue;
		}
		assert_int_equal(errno, EIO);
		failed++;
	}
	atomic_store(is_bad, false);
	assert_true(failed > 100);
	assert_true(pool_stats(pool).read_errors >= failed);
	for (uint64_t page = 0; page < MANY; page++)
		must_be_kind(pool, page, 1);
}

static void what_cannot_be_read_is_an_error(void **state)
{
	atomic_bool *const ways[] = { &cannot_be_read, &is_read_wrong };

	for (unsigned way = 0; way < 2; way++) {
		vms_pool *pool = must_open_with(".", 0);

		(void)state;
		worked(vms_pool_grow(pool, MANY));
		for (uint64_t page = 0; page < MANY; page++)
			change_kind(pool, page, 1);
		must_tell_of_it(pool, ways[way]);
		worked(vms_pool_close(pool));
	}
}

static long bad_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	return atomic_load(&cannot_be_written) ? -EIO :
						 real.pwrite(fd, buffer, length, offset);
}

static void what_cannot_be_written_stays(void **state)
{
	struct vms_pool_options options = memory_options(".");
	vms_pool *pool;
	unsigned count;
	int error;

	(void)state;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	atomic_store(&cannot_be_written, true);
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, EIO);
	atomic_store(&cannot_be_written, false);
	for (unsigned page = 0; page < count; page++)
		must_be_noise(pool, page);
	assert_int_equal(fill_up(pool, MANY, &error), MANY);
	for (unsigned page = 0; page < MANY; page++)
		must_be_noise(pool, page);
	worked(vms_pool_close(pool));
}

/* What a former run has left may be anything: nothing of it is read. */
static void a_former_swap_file_is_hostile(void **state)
{
	struct vms_pool_options options = memory_options("memory.swap");
	char bytes[PAGE];
	vms_pool *pool;
	int fd;

	(void)state;
	fd = open("memory.swap", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	memset(bytes, 0x5a, sizeof(bytes));
	memcpy(bytes, "vmspace-swap 1\n", 16);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(write(fd, i ? bytes + 16 : bytes, PAGE - 16), PAGE - 16);
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	for (uint64_t page = 0; page < MANY; page++) {
		assert_true(page_is_zero(must_fix(pool, page, VMS_POOL_READ)));
		must_unfix(pool, page);
		change_kind(pool, page, 1);
	}
	/* Somebody writes over it meanwhile. */
	for (off_t offset = 4096; offset < (off_t)12 << 20; offset += PAGE)
		assert_int_equal(pwrite(fd, bytes, PAGE, offset), PAGE);
	for (uint64_t page = 0; page < MANY; page++) {
		if (vms_pool_fix(pool, page, VMS_POOL_READ)) {
			must_unfix(pool, page);
			must_be_kind(pool, page, 1);
		} else {
			assert_int_equal(errno, EIO);
		}
	}
	open_refuses(&options, -1, EBUSY);
	worked(vms_pool_close(pool));
	assert_int_equal(lseek(fd, 0, SEEK_END), 16);
	memset(bytes, 1, 16);
	assert_int_equal(pwrite(fd, bytes, 16, 0), 16);
	open_refuses(&options, -1, EEXIST);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink("memory.swap"), 0);
}

/* Where there is no file what is compressed has nowhere to go. */
static void less_ram_than_there_is_in_it_is_refused(void **state)
{
	struct vms_pool_options options = memory_options(NULL);
	vms_pool *pool;
	unsigned count;
	int error;

	(void)state;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	refused(vms_pool_set_ram(pool, RAM - (RAM >> 2)), ENOSPC);
	assert_int_equal(pool_stats(pool).ram, RAM);
	/* The last ones are those that are in RAM. */
	for (unsigned page = count - 150; page < count; page++)
		worked(vms_pool_free(pool, page));
	for (unsigned page = 0; page < count - 150; page++)
		must_be_noise(pool, page);
	worked(vms_pool_close(pool));
}

static void a_limit_of_file_sizes_is_kept(void **state)
{
	struct vms_pool_options options = memory_options(".");
	const struct rlimit limit = { .rlim_cur = 4 << 20, .rlim_max = RLIM_INFINITY };
	struct rlimit before;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	full_is_an_error(&options);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_full_is_an_error),
		cmocka_unit_test(a_full_file_is_an_error),
		cmocka_unit_test(doubles_are_given_up),
		cmocka_unit_test(what_is_aside_can_be_read_though_all_is_full),
		cmocka_unit_test(threads_read_though_all_is_full),
		cmocka_unit_test(what_cannot_be_read_is_an_error),
		cmocka_unit_test(what_cannot_be_written_stays),
		cmocka_unit_test(a_former_swap_file_is_hostile),
		cmocka_unit_test(less_ram_than_there_is_in_it_is_refused),
		cmocka_unit_test(a_limit_of_file_sizes_is_kept),
	};

	real = vmsi_host;
	vmsi_host.nanosleep = short_sleep;
	vmsi_host.preadv = bad_preadv;
	vmsi_host.pwrite = bad_pwrite;
	/* The table does not see what the kernel's ring does. */
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
