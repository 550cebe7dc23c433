/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_SNAPSHOT_FIXTURE_H
#define VMSI_TESTS_POOL_SNAPSHOT_FIXTURE_H

#include <vmspace/pool_snapshot.h>

#include "pool_fixture.h"

/* Pools whose children have a snapshot, and signs between processes. */

#define SNAPSHOT_BYTES ((uint64_t)FILE_PAGES * PAGE)

static inline int make_nameless(void)
{
	int fd = memfd_create("saved", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* area: its path; NULL: none. */
static inline vms_pool *open_snapshots_beside(int fd, int saved, unsigned flags,
					      uint64_t bytes, const char *area)
{
	const struct vms_pool_snapshot snapshot = {
		.struct_size = sizeof(snapshot),
		.fd = saved,
		.bytes = bytes,
	};
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.page_size = PAGE,
		.ram = SMALL_RAM,
		.area = area,
		.snapshot = &snapshot,
	};

	return vms_pool_open(fd, &options);
}

static inline vms_pool *open_snapshots(int fd, int saved, unsigned flags, uint64_t bytes)
{
	return open_snapshots_beside(fd, saved, flags, bytes, NULL);
}

static inline vms_pool *must_open_snapshots(int fd, unsigned flags, uint64_t bytes)
{
	int saved = make_nameless();
	vms_pool *pool = open_snapshots(fd, saved, flags, bytes);

	assert_non_null(pool);
	assert_int_equal(close(saved), 0);
	return pool;
}

static inline void close_all(vms_pool *pool, int fd)
{
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* All pages are in this state, also in the file. */
static inline void change_and_flush(vms_pool *pool, unsigned state)
{
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		change(pool, page, state, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
}

/* In a child: whether a page can be read, and is in this state. */
static inline int child_has(vms_pool *pool, uint64_t page, unsigned state)
{
	const char *bytes = vms_pool_fix(pool, page, VMS_POOL_READ);

	return bytes && page_is(bytes, page, state) && vms_pool_unfix(pool, page) == 0;
}

struct signs {
	int from, to;
};

static inline struct signs make_signs(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	return (struct signs){ ends[0], ends[1] };
}

static inline void drop_signs(struct signs *signs)
{
	assert_int_equal(close(signs->from), 0);
	assert_int_equal(close(signs->to), 0);
}

static inline void give_sign(const struct signs *signs)
{
	if (write(signs->to, "x", 1) != 1)
		abort();
}

static inline void await_sign(const struct signs *signs)
{
	char sign;

	if (read(signs->from, &sign, 1) != 1)
		abort();
}

/* A child gives no such sign itself: so it ends, too, where its parent fails. */
static inline int child_awaits(const struct signs *signs)
{
	char sign;

	return close(signs->to) == 0 && read(signs->from, &sign, 1) == 1;
}

#endif
