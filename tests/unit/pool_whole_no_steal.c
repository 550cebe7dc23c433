/* SPDX-License-Identifier: MIT */
#include "pool_area_fixture.h"

#include "host/host.h"
#include "no_ring.h"

/* Pages that are whole, and in the file only when they are committed. */

#define STEAL_RAM ((size_t)1600 << 10)
#define STEAL_PAGES 900u

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;

/* The area, and how a write of it ends. */
static struct {
	const char *area;
	int area_fd;
	long area_write;
	unsigned home_writes;
} host;

static long noted_open(const char *path, int flags, mode_t mode)
{
	const long fd = real.open_file(path, flags, mode);

	if (fd >= 0 && strcmp(path, host.area) == 0)
		host.area_fd = (int)fd;
	return fd;
}

static long noted_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	if (fd == host.area_fd && host.area_write)
		return host.area_write;
	host.home_writes += fd != host.area_fd;
	return real.pwrite(fd, buffer, length, offset);
}

static int set_up(void **state)
{
	const int result = make_place(state);

	real = vmsi_host;
	real_uring = vmsi_uring;
	memset(&host, 0, sizeof(host));
	host.area = area_path(*state);
	host.area_fd = -1;
	vmsi_host.open_file = noted_open;
	vmsi_host.pwrite = noted_pwrite;
	vmsi_uring.open = no_ring;
	return result;
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_area(state);
}

#define steal_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static vms_pool *must_open_steal(const struct place *place, int fd, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags | VMS_POOL_WHOLE_PAGES | VMS_POOL_NO_STEAL |
			VMS_POOL_NO_WRITER,
		.page_size = PAGE,
		.ram = STEAL_RAM,
		.depth = 4,
		.swap_path = ".",
		.area = area_path(place),
	};
	vms_pool *pool = vms_pool_open(fd, &options);

	assert_non_null(pool);
	return pool;
}

static void change_from(vms_pool *pool, uint64_t page, unsigned state, uint64_t lsn)
{
	for (; page < STEAL_PAGES; page++)
		change(pool, page, state, lsn);
}

/* Whatever leaves the RAM goes aside, and to the area only what goes to the file. */
static void what_is_not_committed_is_in_no_area(void **state)
{
	const struct place *place = *state;
	const unsigned ways[] = { 0, VMS_POOL_ADDRESSED };

	for (size_t way = 0; way < 2; way++) {
		int fd = make_pages(place->path, STEAL_PAGES);
		vms_pool *pool = must_open_steal(place, fd, ways[way]);

		change_from(pool, 0, 1, 10);
		assert_true(pool_stats(pool).aside > 300);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EAGAIN);
		assert_int_equal(pool_stats(pool).area_batches, 0);
		file_has(place->path, 0, STEAL_PAGES, 0);
		worked(vms_pool_durable(pool, 10));
		change_from(pool, STEAL_PAGES / 2, 2, 20);
		refused(vms_pool_flush(pool, 10, NULL, NULL), EAGAIN);
		assert_true(pool_stats(pool).area_batches > 0);
		file_has(place->path, 0, STEAL_PAGES / 2, 1);
		for (uint64_t page = STEAL_PAGES / 2; page < STEAL_PAGES; page++)
			assert_true(state_in_file(place->path, page) < 2);
		worked(vms_pool_durable(pool, 20));
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		file_has(place->path, STEAL_PAGES / 2, STEAL_PAGES, 2);
		worked(vms_pool_close(pool));
		pool = must_open_steal(place, fd, ways[way]);
		assert_int_equal(pool_stats(pool).area_mended, 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* The flush of pages that were aside is stopped. */
static void what_comes_home_is_not_torn(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, STEAL_PAGES);
	struct moment moment = { .place = place, .at = 7 };
	vms_pool *pool = must_open_steal(place, fd, 0);
	uint64_t torn = 0;

	change_from(pool, 0, 1, 10);
	worked(vms_pool_durable(pool, 10));
	/* What is in RAM is in the file already, so that the others come home. */
	refused(vms_pool_flush(pool, 10, copy_then, &moment), ECANCELED);
	worked(vms_pool_close(pool));
	assert_non_null(moment.left.bytes);
	put_area(place, &moment.left);
	for (uint64_t sequence = 1; sequence <= 4; sequence++) {
		torn = head_of(&moment.left, sequence)->entries[0].page;
		tear(fd, torn, 0, 1);
	}
	pool = must_open_steal(place, fd, 0);
	assert_true(pool_stats(pool).area_mended >= 4);
	assert_int_equal(state_in_file(place->path, torn), 1);
	for (uint64_t page = 0; page < STEAL_PAGES; page++)
		assert_true(state_in_file(place->path, page) >= 0);
	must_be(pool, torn, 1);
	worked(vms_pool_close(pool));
	free_area(&moment.left);
	assert_int_equal(close(fd), 0);
}

/* What the area does not take stays aside, and comes home later. */
static void an_area_that_fails_leaves_pages_aside(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, STEAL_PAGES);
	vms_pool *pool = must_open_steal(place, fd, 0);
	uint64_t aside;

	change_from(pool, 0, 1, 10);
	aside = pool_stats(pool).aside;
	worked(vms_pool_durable(pool, 10));
	host.area_write = -ENOSPC;
	host.home_writes = 0;
	refused(vms_pool_flush(pool, 10, NULL, NULL), ENOSPC);
	file_has(place->path, 0, STEAL_PAGES, 0);
	assert_true(pool_stats(pool).aside >= aside);
	for (uint64_t page = 0; page < STEAL_PAGES; page++)
		must_be(pool, page, 1);
	host.area_write = 0;
	worked(vms_pool_flush(pool, 10, NULL, NULL));
	file_has(place->path, 0, STEAL_PAGES, 1);
	assert_int_equal(pool_stats(pool).aside, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		steal_test(what_is_not_committed_is_in_no_area),
		steal_test(what_comes_home_is_not_torn),
		steal_test(an_area_that_fails_leaves_pages_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
