/* SPDX-License-Identifier: MIT */
#include "pool_area_fixture.h"

#include "host/host.h"
#include "no_ring.h"
#include "pool_flusher.h"
#include "pool/pool.h"

/*
 * With an area, too, pages are written while the file is made durable; and what the area got
 * meanwhile stays there, since the file may not have it.
 */

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;

static struct {
	_Atomic int home;
	_Atomic unsigned in_sync, syncs, together;
	_Atomic bool may_end;
} host;

static long held_sync(int fd)
{
	long result;

	if (fd != atomic_load(&host.home))
		return real.fdatasync(fd);
	if (atomic_fetch_add(&host.in_sync, 1) > 0)
		atomic_fetch_add(&host.together, 1);
	atomic_fetch_add(&host.syncs, 1);
	while (!atomic_load(&host.may_end))
		(void)sched_yield();
	result = real.fdatasync(fd);
	atomic_fetch_sub(&host.in_sync, 1);
	return result;
}

static int set_up(void **state)
{
	real = vmsi_host;
	real_uring = vmsi_uring;
	memset(&host, 0, sizeof(host));
	host.home = -1;
	vmsi_host.fdatasync = held_sync;
	vmsi_uring.open = no_ring;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_area(state);
}

/* --- a flush that syncs, until it may end ------------------------------------------------------- */

static void begin(struct flusher *flusher, vms_pool *pool)
{
	atomic_store(&host.home, pool->store.fd);
	change(pool, 0, 1, 0);
	begin_flush(flusher, pool);
	wait_for(&host.in_sync, 1);
}

static int end(struct flusher *flusher)
{
	atomic_store(&host.may_end, true);
	return end_flush(flusher);
}

/* Change pages from one on, until there is one more batch in the area. Returns the next one. */
static uint64_t change_for_a_batch(vms_pool *pool, uint64_t page)
{
	const uint64_t batches = pool_stats(pool).area_batches;

	for (; pool_stats(pool).area_batches == batches; page++) {
		assert_true(page < AREA_PAGES);
		change(pool, page, 1, 0);
	}
	return page;
}

/* --- tests ------------------------------------------------------------------------------------- */

static void pages_leave_while_the_file_is_synced(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);
	struct flusher flusher;

	begin(&flusher, pool);
	(void)change_for_a_batch(pool, 1);
	assert_true(pool_stats(pool).written_for_room > 0);
	assert_int_equal(atomic_load(&host.in_sync), 1);
	assert_int_equal(end(&flusher), 0);
	change_all(pool, 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	file_has(place->path, 0, AREA_PAGES, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* The next batch tells in the area which of them are not needed any more. */
static void what_the_area_got_meanwhile_stays(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);
	const struct vmsi_area *area = &pool->area;
	struct flusher flusher;
	struct left_area left;
	uint64_t page, number;

	begin(&flusher, pool);
	page = change_for_a_batch(pool, 1);
	number = area->sequence;
	assert_int_equal(end(&flusher), 0);
	assert_int_equal(area->settled, number - 1);
	(void)change_for_a_batch(pool, page);
	left = copy_area(place);
	worked(vms_pool_close(pool));
	put_area(place, &left);
	page = head_of(&left, number)->entries[0].page;
	tear(fd, page, 0, 1);
	pool = must_open_whole(place, fd);
	assert_true(pool_stats(pool).area_mended > 0);
	assert_int_equal(state_in_file(place->path, page), 1);
	worked(vms_pool_close(pool));
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

static void *change_many(void *pool)
{
	for (unsigned state = 1; state < 4; state++)
		change_all(pool, state);
	return NULL;
}

/* The kernel tells an error to one sync only, so that there is never a second one beside. */
static void who_finds_the_area_full_waits_for_the_sync(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd);
	struct flusher flusher;
	pthread_t changer;

	begin(&flusher, pool);
	assert_int_equal(pthread_create(&changer, NULL, change_many, pool), 0);
	while (pool_stats(pool).area_batches < VMSI_AREA_PLACES - 1)
		(void)sched_yield();
	for (unsigned i = 0; i < 100; i++)
		(void)sched_yield();
	assert_int_equal(pool_stats(pool).area_batches, VMSI_AREA_PLACES - 1);
	assert_int_equal(atomic_load(&host.syncs), 1);
	assert_int_equal(end(&flusher), 0);
	assert_int_equal(pthread_join(changer, NULL), 0);
	assert_int_equal(atomic_load(&host.together), 0);
	assert_true(atomic_load(&host.syncs) > 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	file_has(place->path, 0, AREA_PAGES, 3);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_leave_while_the_file_is_synced),
		TEST(what_the_area_got_meanwhile_stays),
		TEST(who_finds_the_area_full_waits_for_the_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
