/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_FIXTURE_H
#define VMSI_TESTS_POOL_FIXTURE_H

#include <vmspace/pool.h>
#include <vmspace/pool_plain.h>
#include <vmspace/pool_stats.h>

#include "file_fixture.h"

/* Pools over a file whose pages know their number, in RAM for few of them. */

#define PAGE ((size_t)4096)
#define FILE_PAGES 512
#define SMALL_RAM ((size_t)1500 << 10)

static inline void fill_page(char *bytes, uint64_t page, unsigned state)
{
	uint64_t *words = (uint64_t *)bytes;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		words[i] = page * 1000003 + state * UINT64_C(10000000019) + i;
}

static inline int page_is(const char *bytes, uint64_t page, unsigned state)
{
	const uint64_t *words = (const uint64_t *)bytes;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		if (words[i] != page * 1000003 + state * UINT64_C(10000000019) + i)
			return 0;
	return 1;
}

static inline int page_is_zero(const char *bytes)
{
	for (size_t i = 0; i < PAGE; i++)
		if (bytes[i])
			return 0;
	return 1;
}

/* A file of so many pages in state 0. */
static inline int make_pages(const char *path, size_t count)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char bytes[PAGE];

	assert_true(fd >= 0);
	for (size_t i = 0; i < count; i++) {
		fill_page(bytes, i, 0);
		assert_int_equal(write(fd, bytes, PAGE), PAGE);
	}
	return fd;
}

static inline vms_pool *open_pool_of(int fd, unsigned flags, size_t ram, uint64_t pages)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.page_size = PAGE,
		.ram = ram,
		.pages = pages,
	};

	return vms_pool_open(fd, &options);
}

static inline vms_pool *must_open_pool(int fd, unsigned flags, size_t ram, uint64_t pages)
{
	vms_pool *pool;

	errno = ERRNO_BEFORE;
	pool = open_pool_of(fd, flags, ram, pages);
	assert_non_null(pool);
	assert_int_equal(errno, ERRNO_BEFORE);
	return pool;
}

static inline struct vms_pool_stats pool_stats(vms_pool *pool)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_pool_get_stats(pool, &stats), 0);
	return stats;
}

static inline char *must_fix(vms_pool *pool, uint64_t page, enum vms_pool_mode mode)
{
	char *address;

	errno = ERRNO_BEFORE;
	address = vms_pool_fix(pool, page, mode);
	assert_non_null(address);
	assert_int_equal(errno, ERRNO_BEFORE);
	return address;
}

static inline void must_unfix(vms_pool *pool, uint64_t page)
{
	worked(vms_pool_unfix(pool, page));
}

/* A page is as expected, to who fixes it. */
static inline void must_be(vms_pool *pool, uint64_t page, unsigned state)
{
	assert_true(page_is(must_fix(pool, page, VMS_POOL_READ), page, state));
	must_unfix(pool, page);
}

/* Change a page as a whole. lsn 0: without a number. */
static inline void change(vms_pool *pool, uint64_t page, unsigned state, uint64_t lsn)
{
	fill_page(must_fix(pool, page, VMS_POOL_WRITE), page, state);
	if (lsn)
		worked(vms_pool_dirty(pool, page, lsn));
	must_unfix(pool, page);
}

/* The state of a page in the file; -1: it is something else. */
static inline int state_in_file(const char *path, uint64_t page)
{
	char bytes[PAGE];
	int fd = open(path, O_RDONLY | O_CLOEXEC), state;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
	assert_int_equal(close(fd), 0);
	for (state = 0; state < 100; state++)
		if (page_is(bytes, page, (unsigned)state))
			return state;
	return -1;
}

static inline void file_has(const char *path, uint64_t from, uint64_t to, int state)
{
	for (uint64_t page = from; page < to; page++)
		assert_int_equal(state_in_file(path, page), state);
}

static inline size_t resident_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all, resident;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &all, &resident), 2);
	(void)fclose(file);
	return resident;
}

#endif
