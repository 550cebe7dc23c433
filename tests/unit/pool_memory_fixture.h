/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_MEMORY_FIXTURE_H
#define VMSI_TESTS_POOL_MEMORY_FIXTURE_H

#include "pool_fixture.h"

/* Pools of memory of several times the RAM. */

#define MANY 2500u
#define RAM ((size_t)4 << 20)

static inline struct vms_pool_options memory_options(const char *swap_path)
{
	return (struct vms_pool_options){
		.struct_size = sizeof(struct vms_pool_options),
		.flags = VMS_POOL_MEMORY,
		.page_size = PAGE,
		.ram = RAM,
		.pages = 2 * MANY,
		.swap_path = swap_path,
		.depth = 8,
	};
}

static inline vms_pool *must_open_memory(const struct vms_pool_options *options)
{
	vms_pool *pool;

	errno = ERRNO_BEFORE;
	pool = vms_pool_open(-1, options);
	assert_non_null(pool);
	assert_int_equal(errno, ERRNO_BEFORE);
	return pool;
}

static inline vms_pool *must_open_with(const char *swap_path, unsigned flags)
{
	struct vms_pool_options options = memory_options(swap_path);

	options.flags |= flags;
	return must_open_memory(&options);
}

/* Words that cannot be compressed. */
static inline void fill_noise(char *bytes, uint64_t page, unsigned state)
{
	uint64_t *words = (uint64_t *)bytes, x = page * 1000003 + state + 1;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
}

/* A page is of one of three kinds. */
static inline void fill_kind(char *bytes, uint64_t page, unsigned state)
{
	switch (page % 3) {
	case 0:
		fill_noise(bytes, page, state);
		break;
	case 1:
		fill_page(bytes, page, state);
		break;
	default:
		memset(bytes, 0, PAGE);
	}
}

static inline void must_be_kind(vms_pool *pool, uint64_t page, unsigned state)
{
	char expected[PAGE];

	fill_kind(expected, page, state);
	assert_memory_equal(must_fix(pool, page, VMS_POOL_READ), expected, PAGE);
	must_unfix(pool, page);
}

static inline void change_kind(vms_pool *pool, uint64_t page, unsigned state)
{
	fill_kind(must_fix(pool, page, VMS_POOL_WRITE), page, state);
	must_unfix(pool, page);
}

static inline void open_refuses(const struct vms_pool_options *options, int fd, int error)
{
	errno = 0;
	assert_null(vms_pool_open(fd, options));
	assert_int_equal(errno, error);
}

static inline unsigned fill_up(vms_pool *pool, unsigned count, int *error)
{
	for (unsigned page = 0; page < count; page++) {
		char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		*error = errno;
		if (!bytes)
			return page;
		fill_noise(bytes, page, 1);
		must_unfix(pool, page);
	}
	*error = 0;
	return count;
}

static inline void must_be_noise(vms_pool *pool, uint64_t page)
{
	char expected[PAGE];

	fill_noise(expected, page, 1);
	assert_memory_equal(must_fix(pool, page, VMS_POOL_READ), expected, PAGE);
	must_unfix(pool, page);
}

/* What was put in is there, all of it, and there is room again for what is freed. */
static inline void full_is_an_error(const struct vms_pool_options *options)
{
	vms_pool *pool = must_open_memory(options);
	unsigned count;
	int error;

	worked(vms_pool_grow(pool, MANY));
	count = fill_up(pool, MANY, &error);
	assert_int_equal(error, ENOSPC);
	assert_true(count > 500 && count < MANY);
	for (unsigned page = 1; page < count; page += 3)
		worked(vms_pool_free(pool, page));
	for (unsigned page = 2; page < count; page += 3) {
		must_be_noise(pool, page - 2);
		must_be_noise(pool, page);
	}
	for (unsigned page = 1; page < count / 2; page += 3) {
		fill_noise(must_fix(pool, page, VMS_POOL_WRITE), page, 1);
		must_unfix(pool, page);
	}
	for (unsigned page = 0; page < count / 2; page++)
		must_be_noise(pool, page);
	worked(vms_pool_close(pool));
}

#endif
