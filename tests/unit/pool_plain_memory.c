/* SPDX-License-Identifier: MIT */
#include "plain_fixture.h"
#include "pool_memory_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "no_ring.h"
#include "pool/aside/aside.h"

/* Pools of memory that are used by plain pointers: what leaves is put aside. */

static struct vmsi_host_calls real;

static vms_pool *must_open_by(const struct engine *engine,
			      const struct vms_pool_options *options)
{
	struct vms_pool_options wanted = *options;
	vms_pool *pool;

	wanted.flags |= engine->flags;
	pool = open_by(engine, -1, &wanted);
	assert_non_null(pool);
	assert_int_equal(pool_stats(pool).fault_engine, engine->engine);
	worked(vms_pool_grow(pool, MANY));
	return pool;
}

static vms_pool *must_open_some(const struct engine *engine)
{
	const struct vms_pool_options options = memory_options(".");

	return must_open_by(engine, &options);
}

static char *at(vms_pool *pool, uint64_t page)
{
	return (char *)vms_pool_base(pool) + page * PAGE;
}

static void must_load(vms_pool *pool, uint64_t page, unsigned state)
{
	char expected[PAGE];

	fill_kind(expected, page, state);
	assert_memory_equal(at(pool, page), expected, PAGE);
}

/* --- what comes back ------------------------------------------------------------------------ */

static void what_was_stored_comes_back(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);
		struct vms_pool_stats stats;

		errno = ERRNO_BEFORE;
		for (unsigned round = 1; round < 4; round++) {
			for (uint64_t i = 0; i < MANY; i++)
				fill_kind(at(pool, i), i, round);
			for (uint64_t i = 0; i < MANY; i++)
				must_load(pool, i * 37 % MANY, round);
			for (uint64_t i = 0; i < MANY; i += 7)
				fill_kind(at(pool, i), i, round + 10);
			for (uint64_t i = 0; i < MANY; i++)
				must_load(pool, i, i % 7 ? round : round + 10);
		}
		assert_int_equal(errno, ERRNO_BEFORE);
		stats = pool_stats(pool);
		assert_true(stats.evictions > 3 * MANY);
		assert_true(stats.pages_aside > MANY);
		assert_true(stats.aside >= MANY - stats.slots && stats.aside <= MANY);
		assert_true(stats.swap_file > 0);
		assert_true(stats.read_ahead > 0);
		assert_true(stats.used <= stats.ram);
		assert_int_equal(stats.write_errors + stats.read_errors, 0);
		worked(vms_pool_close(pool));
	}
}

static void what_was_never_stored_to_is_zero(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);

		/* Its neighbours are aside, and it comes with them. */
		for (uint64_t i = 0; i < MANY; i += 2)
			fill_noise(at(pool, i), i, 1);
		for (unsigned round = 0; round < 2; round++)
			for (uint64_t i = 0; i < MANY; i++) {
				if (i % 2)
					assert_true(page_is_zero(at(pool, i)));
				else
					must_be_noise(pool, i);
			}
		/* Those that were brought to be stored to take no memory. */
		assert_true(pool_stats(pool).aside - pool_stats(pool).aside_zero <= MANY / 2);
		worked(vms_pool_close(pool));
	}
}

/* A page that is loaded and leaves again is not put a second time. */
static void what_is_only_loaded_leaves_for_nothing(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);
		struct vms_pool_stats before;
		uint64_t puts;

		for (uint64_t i = 0; i < MANY; i++)
			fill_kind(at(pool, i), i, 1);
		for (uint64_t i = 0; i < 2 * MANY; i++)
			must_load(pool, i % MANY, 1);
		before = pool_stats(pool);
		for (uint64_t i = 0; i < 2 * MANY; i++)
			must_load(pool, i % MANY, 1);
		puts = pool_stats(pool).pages_aside - before.pages_aside;
		/*
		 * What has stayed in the RAM all the time is put once, by the writer perhaps.
		 * Served, a fault may be told twice, and the page is dirty again.
		 */
		if (engine->engine != VMS_POOL_FAULTS_SERVED)
			assert_true(puts <= MANY - before.aside);
		worked(vms_pool_close(pool));
	}
}

/* --- calls beside ------------------------------------------------------------------------------ */

static void must_be_together(vms_pool *pool, uint64_t first)
{
	uint64_t pages[50];
	void *addresses[50];

	for (unsigned i = 0; i < 50; i++)
		pages[i] = first + 5 * (i * 7 % 50);
	assert_true(vms_pool_prefetch(pool, pages, 50) >= 0);
	worked(vms_pool_fix_many(pool, pages, addresses, 50, VMS_POOL_READ));
	for (unsigned i = 0; i < 50; i++) {
		assert_ptr_equal(addresses[i], at(pool, pages[i]));
		must_load(pool, pages[i], 1);
	}
	worked(vms_pool_unfix_many(pool, pages, 50));
}

static void calls_see_what_was_stored(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);

		for (uint64_t i = 0; i < MANY; i++)
			fill_kind(at(pool, i), i, 1);
		for (uint64_t i = 0; i + 250 < MANY; i += 300)
			must_be_together(pool, i);
		for (uint64_t i = 0; i < MANY; i += 3)
			change_kind(pool, i, 2);
		for (uint64_t i = 0; i < MANY; i++)
			must_load(pool, i, i % 3 ? 1 : 2);
		worked(vms_pool_pin(pool, at(pool, 5), 9 * PAGE, VMS_POOL_WRITE));
		fill_kind(at(pool, 6), 6, 5);
		worked(vms_pool_unpin(pool, at(pool, 5), 9 * PAGE));
		for (uint64_t i = 0; i < MANY; i++)
			must_be_kind(pool, i, i == 6 ? 5 : i % 3 ? 1 : 2);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EINVAL);
		worked(vms_pool_close(pool));
	}
}

static void what_is_free_is_zero_again(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);
		uint64_t page;

		for (uint64_t i = 0; i < MANY; i++)
			fill_noise(at(pool, i), i, 1);
		for (uint64_t i = 0; i < MANY; i++)
			worked(vms_pool_free(pool, i));
		assert_int_equal(pool_stats(pool).aside, 0);
		assert_true(page_is_zero(at(pool, 5)));
		for (unsigned i = 0; i < 20; i++) {
			assert_true(page_is_zero(vms_pool_allocate(pool, &page)));
			fill_noise(at(pool, page), page, 1);
			must_unfix(pool, page);
		}
		worked(vms_pool_close(pool));
	}
}

static void the_ram_can_be_changed(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		struct vms_pool_options options = memory_options(".");
		vms_pool *pool;

		options.ram_most = 2 * RAM;
		pool = must_open_by(engine, &options);
		for (uint64_t i = 0; i < MANY; i++)
			fill_kind(at(pool, i), i, 1);
		for (unsigned round = 0; round < 4; round++) {
			const size_t ram = round % 2 ? RAM - (RAM >> 2) : 2 * RAM;

			worked(vms_pool_set_ram(pool, ram));
			for (uint64_t i = 0; i < MANY; i++)
				must_load(pool, i, 1);
			assert_true(pool_stats(pool).used <= ram);
		}
		worked(vms_pool_close(pool));
	}
}

static void pages_of_other_sizes_come_back(void **state)
{
	const size_t sizes[] = { 16 << 10, 256 << 10 };
	const uint64_t counts[] = { 300, 60 };

	(void)state;
	for (int codec = 0; codec <= VMS_POOL_RAW; codec++)
		FOR_ENGINES(engine) {
			const size_t size = sizes[codec % 2];
			const uint64_t count = counts[codec % 2];
			const size_t swap = (64 << 10) +
				vmsi_aside_least_ram(size, (enum vms_pool_codec)codec);
			struct vms_pool_options options = memory_options(".");
			vms_pool *pool;

			options.flags |= engine->flags;
			options.swap_codec = (enum vms_pool_codec)codec;
			options.page_size = size;
			options.pages = count;
			options.swap_ram = swap;
			options.ram = 26 * size + ((size_t)2 << 20) + swap;
			pool = open_by(engine, -1, &options);
			/* A codec may have been left out when the library was built. */
			if (!pool && errno == ENOTSUP)
				continue;
			assert_non_null(pool);
			worked(vms_pool_grow(pool, count));
			for (uint64_t i = 0; i < count; i++)
				fill_kind(at(pool, 0) + (i + 1) * size - PAGE, i, 1);
			for (uint64_t i = 0; i < count; i++) {
				char expected[PAGE];

				fill_kind(expected, i, 1);
				assert_memory_equal(at(pool, 0) + (i + 1) * size - PAGE,
						    expected, PAGE);
				assert_true(page_is_zero(at(pool, 0) + i * size));
			}
			assert_true(pool_stats(pool).pages_aside > 0);
			worked(vms_pool_close(pool));
		}
}

/* --- what cannot come, and what cannot go ------------------------------------------------------- */

static atomic_bool is_bad;

static long bad_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	return atomic_load(&is_bad) ? -EIO : real.preadv(fd, parts, count, offset);
}

/* One bit is another one. */
static long false_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	const long result = real.preadv(fd, parts, count, offset);

	if (atomic_load(&is_bad) && result > 0)
		((char *)parts[count - 1].iov_base)[7] ^= 1;
	return result;
}

static void bad_pages_are_signals(const struct engine *engine)
{
	vms_pool *pool = must_open_some(engine);
	unsigned failed = 0;

	for (uint64_t i = 0; i < MANY; i++)
		fill_kind(at(pool, i), i, 1);
	atomic_store(&is_bad, true);
	for (uint64_t i = 0; i < MANY; i++) {
		const int number = signal_of(at(pool, i), i % 2);

		if (!number && i % 2)
			fill_kind(at(pool, i), i, 1);
		if (!number)
			must_load(pool, i, 1);
		assert_true(!number || number == SIGBUS);
		failed += number != 0;
	}
	atomic_store(&is_bad, false);
	assert_true(failed > 100);
	assert_true(pool_stats(pool).read_errors >= failed);
	/* Served, a page that could not come waits for a fix. */
	for (uint64_t i = 0; i < MANY; i++) {
		must_be_kind(pool, i, 1);
		must_load(pool, i, 1);
	}
	worked(vms_pool_close(pool));
}

static void what_cannot_be_read_is_a_signal(void **state)
{
	(void)state;
	FOR_ENGINES(engine)
		for (unsigned way = 0; way < 2; way++) {
			vmsi_host.preadv = way ? false_preadv : bad_preadv;
			bad_pages_are_signals(engine);
			vmsi_host = real;
		}
}

/* A page has nothing of a store that was a signal. Returns how many were stored to. */
static unsigned store_until_full(vms_pool *pool)
{
	for (uint64_t i = 0; i < MANY; i++) {
		if (signal_of(at(pool, i), true) != 0)
			return (unsigned)i;
		fill_noise(at(pool, i), i, 1);
	}
	return MANY;
}

static void a_full_store_is_a_signal(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		struct vms_pool_options options = memory_options(".");
		vms_pool *pool;
		unsigned count;

		options.swap_bytes = 4 << 20;
		pool = must_open_by(engine, &options);
		count = store_until_full(pool);
		assert_true(count > 500 && count < MANY);
		for (uint64_t i = 1; i < count; i += 3)
			worked(vms_pool_free(pool, i));
		/* Nothing of what is left is lost. */
		for (uint64_t i = 2; i < count; i += 3) {
			must_be_noise(pool, i - 2);
			must_be_noise(pool, i);
		}
		if (engine->engine == VMS_POOL_FAULTS_SERVED) {
			must_fix(pool, count, VMS_POOL_READ);
			must_unfix(pool, count);
		}
		assert_true(page_is_zero(at(pool, count)));
		for (uint64_t i = 1; i < count / 2; i += 3)
			fill_noise(at(pool, i), i, 1);
		for (uint64_t i = 0; i < count / 2; i++)
			must_be_noise(pool, i);
		worked(vms_pool_close(pool));
	}
}

/* The memfd of an engine takes what the swap file does not. */
static bool is_swap_file(int fd)
{
	struct stat here, other;

	return stat(".", &here) == 0 && fstat(fd, &other) == 0 &&
		here.st_dev == other.st_dev;
}

static long bad_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	return atomic_load(&is_bad) && is_swap_file(fd) ? -EIO :
		real.pwrite(fd, buffer, length, offset);
}

static void what_cannot_be_written_stays(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);
		unsigned count;

		vmsi_host.pwrite = bad_pwrite;
		atomic_store(&is_bad, true);
		count = store_until_full(pool);
		atomic_store(&is_bad, false);
		assert_true(count > 500 && count < MANY);
		for (uint64_t i = 0; i < count; i++)
			must_be_noise(pool, i);
		if (engine->engine == VMS_POOL_FAULTS_SERVED) {
			must_fix(pool, count, VMS_POOL_READ);
			must_unfix(pool, count);
		}
		assert_int_equal(store_until_full(pool), MANY);
		for (uint64_t i = 0; i < MANY; i++)
			must_be_noise(pool, i);
		vmsi_host = real;
		worked(vms_pool_close(pool));
	}
}

/* --- in a fault -------------------------------------------------------------------------------- */

static pthread_t loading_thread;
static _Atomic unsigned begun;

static long counting_start(pthread_t *thread, size_t stack, void *(*run)(void *), void *context)
{
	if (pthread_equal(pthread_self(), loading_thread))
		atomic_fetch_add(&begun, 1);
	return real.start_thread(thread, stack, run, context);
}

/* The thread may be in the midst of malloc, or of pthread_create itself. */
static void no_thread_is_begun_in_a_fault(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_some(engine);

		loading_thread = pthread_self();
		atomic_store(&begun, 0);
		vmsi_host.start_thread = counting_start;
		for (uint64_t i = 0; i < 3 * MANY; i++)
			fill_noise(at(pool, i * 7 % MANY), i * 7 % MANY, 1);
		vmsi_host = real;
		assert_int_equal(atomic_load(&begun), 0);
		worked(vms_pool_close(pool));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_was_stored_comes_back),
		file_test(what_was_never_stored_to_is_zero),
		file_test(what_is_only_loaded_leaves_for_nothing),
		file_test(calls_see_what_was_stored),
		file_test(what_is_free_is_zero_again),
		file_test(the_ram_can_be_changed),
		file_test(pages_of_other_sizes_come_back),
		file_test(what_cannot_be_read_is_a_signal),
		file_test(a_full_store_is_a_signal),
		file_test(what_cannot_be_written_stays),
		file_test(no_thread_is_begun_in_a_fault),
	};

	catch_signals();
	real = vmsi_host;
	/* The table does not see what the kernel's ring does. */
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
