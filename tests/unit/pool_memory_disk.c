/* SPDX-License-Identifier: MIT */
#include <sched.h>

#include "pool_memory_fixture.h"

#include "host/host.h"
#include "no_ring.h"
#include "pool/pool.h"

/*
 * Pools of memory on a disk that has less room than the swap file may have, and what the
 * pool does while nothing can leave.
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

/* --- a disk that is full ------------------------------------------------------------- */

/* Up to here the disk has room for a file. */
static _Atomic uint64_t room;
static long no_room;

static bool is_beyond(uint64_t offset, size_t length)
{
	return offset + length > atomic_load(&room);
}

static long small_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	return is_beyond(offset, length) ? no_room :
					   real.pwrite(fd, buffer, length, offset);
}

static long small_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	return is_beyond(offset, length) ? no_room :
					   real.fallocate(fd, mode, offset, length);
}

/* A file system that has no such call. */
static long unknown_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)length;
	return -EOPNOTSUPP;
}

static void have_room(uint64_t bytes, long error)
{
	atomic_store(&room, bytes);
	no_room = error;
	vmsi_host.pwrite = small_pwrite;
	vmsi_host.fallocate = small_fallocate;
}

static void full_in_each_way(void)
{
	struct vms_pool_options options = memory_options(".");

	full_is_an_error(&options);
	options.flags |= VMS_POOL_NO_WRITER | VMS_POOL_ADDRESSED;
	full_is_an_error(&options);
}

static void a_full_disk_is_an_error(void **state)
{
	(void)state;
	have_room((uint64_t)4 << 20, -ENOSPC);
	full_in_each_way();
}

static void what_a_user_may_have_is_as_a_disk(void **state)
{
	(void)state;
	have_room((uint64_t)4 << 20, -EDQUOT);
	full_in_each_way();
}

static void a_full_disk_is_found_by_zeros(void **state)
{
	(void)state;
	have_room((uint64_t)4 << 20, -ENOSPC);
	vmsi_host.fallocate = unknown_fallocate;
	full_in_each_way();
}

/* There is as much as without a file. */
static void without_any_room_there_is_the_memory(void **state)
{
	(void)state;
	have_room(PAGE, -ENOSPC);
	full_in_each_way();
}

/* Change pages from one on, until there is no room. Returns where that was. */
static unsigned fill_on(vms_pool *pool, unsigned page)
{
	for (; page < MANY; page++) {
		char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		if (!bytes)
			break;
		fill_noise(bytes, page, 1);
		must_unfix(pool, page);
	}
	assert_true(page == MANY || errno == ENOSPC);
	return page;
}

static void room_that_comes_is_used(void **state)
{
	const uint64_t rooms[] = { PAGE, (uint64_t)3 << 20, (uint64_t)6 << 20, UINT64_MAX };
	struct vms_pool_options options = memory_options(".");
	unsigned count = 0;
	vms_pool *pool;

	(void)state;
	have_room(rooms[0], -ENOSPC);
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		const unsigned before = count;

		atomic_store(&room, rooms[i]);
		count = fill_on(pool, before);
		assert_true(count > before);
		for (unsigned page = 0; page < count; page++)
			must_be_noise(pool, page);
	}
	assert_int_equal(count, MANY);
	worked(vms_pool_close(pool));
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
		TEST(a_full_disk_is_an_error),
		TEST(what_a_user_may_have_is_as_a_disk),
		TEST(a_full_disk_is_found_by_zeros),
		TEST(without_any_room_there_is_the_memory),
		TEST(room_that_comes_is_used),
		TEST(the_writer_sleeps_when_all_is_full),
		TEST(it_ends_where_the_host_drops_nothing),
	};

	/* The table does not see what the kernel's ring does. */
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
