/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include "pool/slots.h"

/* Room is made as long as any page can leave, whatever the others do. */

#define TOGETHER 64
#define FAR 1000000

static void fix_and_unfix(vms_pool *pool, uint64_t first)
{
	uint64_t pages[TOGETHER];

	for (uint64_t i = 0; i < TOGETHER; i++) {
		pages[i] = (first + 7 * i) % FILE_PAGES;
		assert_true(page_is(must_fix(pool, pages[i], VMS_POOL_READ), pages[i], 0));
	}
	worked(vms_pool_unfix_many(pool, pages, TOGETHER));
}

/*
 * Pages that have come lately are all fixed, and more than a tenth; all others were used
 * again and again.
 */
static void fixed_pages_do_not_keep_the_others(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, flags, SMALL_RAM, 0);

		assert_true(pool_stats(pool).slots > 2 * TOGETHER);
		for (uint64_t round = 0; round < 60; round++)
			fix_and_unfix(pool, round * 37);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void use_often(vms_pool *pool, uint64_t first, uint64_t count)
{
	for (unsigned round = 0; round < 4; round++)
		for (uint64_t page = first; page < first + count; page++)
			must_be(pool, page, 0);
}

/* Pages that have come lately wait for the log, which nobody makes durable. */
static void pages_that_wait_do_not_keep_the_others(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, flags | VMS_POOL_NO_WRITER, SMALL_RAM, 0);
		const uint64_t hot = pool_stats(pool).slots / 2;

		use_often(pool, 0, hot);
		for (uint64_t page = hot; page < hot + TOGETHER; page++)
			change(pool, page, 1, FAR);
		for (uint64_t page = hot + TOGETHER; page < FILE_PAGES; page++)
			use_often(pool, page, 1);
		for (uint64_t page = hot; page < hot + TOGETHER; page++)
			must_be(pool, page, 1);
		assert_int_equal(pool_stats(pool).dirty, TOGETHER);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- the order of the small queue ------------------------------------------------------------ */

static uint32_t small_count(const vms_pool *pool)
{
	return pool->queues[VMSI_SMALL].count;
}

/* How many of the queue are where they are guessed to be. */
static uint32_t count_guessed(const vms_pool *pool)
{
	uint32_t number = pool->queues[VMSI_SMALL].first, good = 0;

	for (uint32_t place = 0; place < small_count(pool); place++) {
		good += vmsi_queue_coming(pool, place) == number;
		number = pool->slots[number].next;
	}
	assert_int_equal(number, VMSI_NO_SLOT);
	return good;
}

static void scan(vms_pool *pool, uint64_t first, uint64_t end)
{
	for (uint64_t page = first; page < end; page++) {
		must_be(pool, page, 0);
		assert_int_equal(count_guessed(pool), small_count(pool));
		assert_true(small_count(pool) > 0);
	}
}

static void what_comes_is_known_while_all_leave_in_order(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, flags, SMALL_RAM, 0);

		assert_int_equal(vmsi_queue_coming(pool, 0), VMSI_NO_SLOT);
		scan(pool, 0, FILE_PAGES);
		assert_true(pool_stats(pool).evictions > pool_stats(pool).slots);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* Some leave from the midst, and the guess is good again when those before have left. */
static void what_comes_is_known_again_after_others_left(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	const uint64_t slots = pool_stats(pool).slots;

	scan(pool, 0, slots / 2);
	for (uint64_t page = 8; page < 12; page++)
		worked(vms_pool_hint(pool, page, VMS_POOL_KEEP));
	for (uint64_t page = 3 * slots; page > slots / 2; page--)
		must_be(pool, page % FILE_PAGES, 0);
	assert_true(small_count(pool) > 0);
	assert_int_equal(count_guessed(pool), small_count(pool));
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_comes_is_known_while_all_leave_in_order),
		file_test(what_comes_is_known_again_after_others_left),
		file_test(fixed_pages_do_not_keep_the_others),
		file_test(pages_that_wait_do_not_keep_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
