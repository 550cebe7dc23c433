/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "host/host.h"
#include "pool_fixture.h"

/*
 * A pool for a TiB: opening it costs no more calls than a small one, and its records are
 * paid for as they are used, 8 bytes a page.
 */

#define LARGE (UINT64_C(1) << 28)
#define SMALL UINT64_C(1024)
#define RAM ((size_t)8 << 20)

static unsigned calls;
static struct vmsi_host_calls real;

static long counted_mmap(uintptr_t address, size_t length, int prot, int flags, int fd,
			 uint64_t offset)
{
	calls++;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static long counted_madvise(uintptr_t address, size_t length, int advice)
{
	calls++;
	return real.madvise(address, length, advice);
}

static long counted_mprotect(uintptr_t address, size_t length, int prot)
{
	calls++;
	return real.mprotect(address, length, prot);
}

static size_t resident(void)
{
	unsigned long total, pages;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &total, &pages), 2);
	(void)fclose(file);
	return pages * page_bytes();
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static vms_pool *open_of(int fd, unsigned flags, uint64_t pages)
{
	vms_pool *pool = open_pool_of(fd, flags | VMS_POOL_NO_WRITER, RAM, pages);

	assert_non_null(pool);
	return pool;
}

/* In ms; the floor is one call that reserves so much. */
static double bare_mmap(void)
{
	const size_t bytes = (size_t)LARGE * PAGE;
	const double begin = now();
	void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const double end = now();

	if (start == MAP_FAILED)
		return -1;
	assert_int_equal(munmap(start, bytes), 0);
	return end - begin;
}

static void opens_like_a_small_one(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 16);

	if (bare_mmap() < 0) {
		print_message("# a mmap of 1 TiB is refused: %s\n", strerror(errno));
		assert_int_equal(close(fd), 0);
		skip();
	}
	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		unsigned calls_of_small;
		size_t before;
		double begin;
		vms_pool *pool;

		calls = 0;
		worked(vms_pool_close(open_of(fd, flags, SMALL)));
		calls_of_small = calls;
		calls = 0;
		before = resident();
		begin = now();
		pool = open_of(fd, flags, LARGE);
		print_message("# flags %u: open %.3f ms, a bare mmap %.3f ms\n", flags,
			      now() - begin, bare_mmap());
		assert_true(calls <= calls_of_small);
		assert_true(resident() < before + ((size_t)1 << 20));
		worked(vms_pool_close(pool));
	}
	assert_int_equal(close(fd), 0);
}

/* Pages here and there have a host page of words each, and the pages themselves. */
static void is_paid_for_as_it_is_used(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 16);
	vms_pool *pool = open_of(fd, 0, LARGE);
	const size_t before = pool_stats(pool).used;
	size_t count = 0;

	/* As far as a file system has files so large. */
	if (vms_pool_grow(pool, LARGE) != 0)
		worked(vms_pool_grow(pool, LARGE / 256));
	for (uint64_t page = 20; page < vms_pool_pages(pool);
	     page += vms_pool_pages(pool) / 64, count++) {
		assert_true(page_is_zero(must_fix(pool, page, VMS_POOL_READ)));
		must_unfix(pool, page);
	}
	assert_true(count >= 64);
	assert_true(pool_stats(pool).used <= before + count * (PAGE + page_bytes() + 64));
	assert_true(pool_stats(pool).used <= RAM);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(opens_like_a_small_one),
		file_test(is_paid_for_as_it_is_used),
	};

	real = vmsi_host;
	vmsi_host.mmap = counted_mmap;
	vmsi_host.madvise = counted_madvise;
	vmsi_host.mprotect = counted_mprotect;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
