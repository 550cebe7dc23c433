/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_AREA_BATCHES_H
#define VMSI_TESTS_POOL_AREA_BATCHES_H

#include "pool_area_fixture.h"

#include "host/host.h"

/* Areas that are made by hand, and what a pool makes of them. */

static struct vmsi_host_calls area_real;

/* No test here is about what survives a machine. */
static inline long no_sync(int fd)
{
	(void)fd;
	return 0;
}

static inline int set_up(void **state)
{
	const int result = make_light_place(state);

	area_real = vmsi_host;
	vmsi_host.fsync = no_sync;
	vmsi_host.fdatasync = no_sync;
	return result;
}

static inline int tear_down(void **state)
{
	vmsi_host = area_real;
	return drop_area(state);
}

#define area_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* --- an area, as it may be left ------------------------------------------------------------- */

#define IMAGES 3

/* The area of a pool that is open and empty: its header is right. */
static inline struct left_area empty_area(const struct place *place, int fd)
{
	vms_pool *pool = must_open_whole(place, fd);
	struct left_area left = copy_area(place);

	worked(vms_pool_close(pool));
	return left;
}

/* Put a batch of pages from first on, in a state. */
static inline void put_batch(struct left_area *left, uint64_t sequence, uint64_t settled,
		      uint64_t first, unsigned state)
{
	struct vmsi_area_head *head = head_of(left, sequence);
	char *images = (char *)head + VMSI_AREA_HEAD_BYTES;

	head->sequence = sequence;
	head->settled = settled;
	head->count = IMAGES;
	for (size_t i = 0; i < IMAGES; i++) {
		fill_page(images + i * PAGE, first + i, state);
		head->entries[i].page = first + i;
		head->entries[i].sum = vmsi_area_sum(header_of(left), sequence, first + i,
						     images + i * PAGE);
	}
	vmsi_area_head_finish(header_of(left), head);
}

/* Batches one to three, of which none is settled. The second one changes the first's. */
static inline struct left_area three_batches(const struct place *place, int fd)
{
	struct left_area left = empty_area(place, fd);

	put_batch(&left, 1, 0, 10, 1);
	put_batch(&left, 2, 0, 11, 2);
	put_batch(&left, 3, 0, 20, 3);
	return left;
}

static inline void restore_file(int fd)
{
	for (uint64_t page = 10; page < 30; page++)
		write_state(fd, page, 0);
}

/* Open it; the errno, or 0. */
static inline int try_to_open(const struct place *place, int fd, const struct left_area *left)
{
	vms_pool *pool;

	put_area(place, left);
	errno = ERRNO_BEFORE;
	pool = open_whole(place, fd, 0);
	if (!pool)
		return errno;
	assert_int_equal(errno, ERRNO_BEFORE);
	worked(vms_pool_close(pool));
	return 0;
}

static inline void must_be_in_file(const struct place *place, uint64_t page, int state)
{
	assert_int_equal(state_in_file(place->path, page), state);
}

#endif
