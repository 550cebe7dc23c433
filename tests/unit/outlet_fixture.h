/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_OUTLET_FIXTURE_H
#define TESTS_UNIT_OUTLET_FIXTURE_H

#include "plain_fixture.h"
#include "pool_memory_fixture.h"

#include "no_ring.h"
#include "pool/pool.h"
#include "pool/write/writer.h"

/* Pools whose dirty pages leave by a pipe (plain/outlet.h), and stores beside. */

static struct vmsi_host_calls real;

/* Pages that are stored to: twice those that there is room for. */
#define SOME 1500u

/* A machine without swap, whatever this one has: there is an outlet. */
static inline long no_swap(size_t *bytes)
{
	*bytes = 0;
	return 0;
}

static inline int run_outlet_tests(const struct CMUnitTest *tests, size_t count)
{
	catch_signals();
	vmsi_uring.open = no_ring;
	vmsi_host.swap_size = no_swap;
	real = vmsi_host;
	return _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
}

/* --- a pool ---------------------------------------------------------------------------------- */

/* Nobody but who needs room puts pages aside: there is no thread for that. */
static inline vms_pool *must_open_by(const struct engine *engine, size_t swap_bytes)
{
	struct vms_pool_options options = memory_options(".");
	vms_pool *pool;

	options.flags |= engine->flags;
	options.swap_bytes = swap_bytes;
	pool = open_by(engine, -1, &options);
	assert_non_null(pool);
	vmsi_writer_end(pool);
	worked(vms_pool_grow(pool, MANY));
	return pool;
}

static inline char *at(vms_pool *pool, uint64_t page)
{
	return (char *)vms_pool_base(pool) + page * PAGE;
}

/* A word of a page that is stored to while it leaves. */
#define STORED UINT64_C(0x5a5a1234a5a54321)

static char *first_page;
static bool was_stored_to[SOME];

static inline void store_to(char *page)
{
	const uint64_t word = STORED;

	memcpy(page, &word, sizeof(word));
	was_stored_to[(page - first_page) / PAGE] = true;
}

static inline void store_all(vms_pool *pool, uint64_t count)
{
	first_page = at(pool, 0);
	memset(was_stored_to, 0, sizeof(was_stored_to));
	for (uint64_t i = 0; i < count; i++)
		fill_noise(at(pool, i), i, 1);
}

/* Returns how many were stored to while they left. */
static inline unsigned must_have_all(vms_pool *pool, uint64_t pages)
{
	unsigned count = 0;

	for (uint64_t i = 0; i < pages; i++) {
		const uint64_t word = STORED;
		char expected[PAGE];

		fill_noise(expected, i, 1);
		if (was_stored_to[i])
			memcpy(expected, &word, sizeof(word));
		assert_memory_equal(at(pool, i), expected, PAGE);
		count += was_stored_to[i];
	}
	assert_true(pool_stats(pool).used <= pool_stats(pool).ram);
	return count;
}

/* --- stores beside ------------------------------------------------------------------------------ */

static unsigned splices;

static inline long storing_before(int fd, const struct iovec *parts, int count)
{
	splices++;
	store_to(parts[count - 1].iov_base);
	return real.splice_memory(fd, parts, count);
}

static inline long storing_after(int fd, const struct iovec *parts, int count)
{
	const long result = real.splice_memory(fd, parts, count);

	splices++;
	store_to(parts[0].iov_base);
	return result;
}

#endif
