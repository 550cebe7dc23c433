/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group/measure/extents.h"

#define MANY 60000u

static struct vmsi_extents extents;

static int release(void **state)
{
	(void)state;
	vmsi_extents_free(&extents);
	return 0;
}

static void add(uint64_t start, uint64_t end, size_t resident)
{
	assert_true(vmsi_extents_add(&extents, start, end - start, resident));
}

static void nothing_is_resident_of_nothing(void **state)
{
	(void)state;
	assert_int_equal(vmsi_extents_resident(&extents), 0);
	add(100, 200, 0);
	add(100, 100, 0);
	assert_int_equal(vmsi_extents_resident(&extents), 0);
}

static void pieces_add_up_in_any_order(void **state)
{
	(void)state;
	add(0, 100, 100);
	add(100, 200, 100);
	add(200, 300, 100);
	assert_int_equal(extents.count, 1);
	add(500, 600, 40);
	add(400, 500, 100);
	assert_int_equal(vmsi_extents_resident(&extents), 440);
}

static void the_same_range_counts_once(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		add(0, 100, 100);
	add(0, 100, 30);
	assert_int_equal(vmsi_extents_resident(&extents), 100);
}

static void ranges_that_overlap_are_one(void **state)
{
	(void)state;
	add(0, 300, 300);
	add(200, 500, 300);
	add(450, 460, 10);
	add(600, 700, 100);
	assert_int_equal(vmsi_extents_resident(&extents), 600);
}

static void pieces_lie_in_a_whole_that_is_hardly_resident(void **state)
{
	(void)state;
	add(0, 1000, 10);
	for (uint64_t at = 0; at < 800; at += 200)
		add(at, at + 100, 100);
	assert_int_equal(vmsi_extents_resident(&extents), 400);
}

static void what_may_be_the_same_counts_once(void **state)
{
	(void)state;
	add(0, 400, 200);
	add(0, 400, 150);
	assert_int_equal(vmsi_extents_resident(&extents), 200);
	/* All of this piece's 60 may be among the 200. */
	add(0, 100, 60);
	assert_int_equal(vmsi_extents_resident(&extents), 200);
}

static void the_last_offset_is_one(void **state)
{
	(void)state;
	add(UINT64_MAX - 100, UINT64_MAX, 100);
	add(0, 100, 100);
	assert_true(vmsi_extents_add(&extents, UINT64_MAX - 9, 20, 20));
	assert_int_equal(vmsi_extents_resident(&extents), 200);
}

/* As many pieces as a process has mappings, in the worst order for a list. */
static void many_pieces_are_counted_soon(void **state)
{
	(void)state;
	for (uint64_t i = MANY; i-- > 0;)
		add(20 * i, 20 * i + 10, 10);
	for (uint64_t i = 0; i < MANY; i++)
		add(20 * i + 5, 20 * i + 15, 10);
	assert_int_equal(vmsi_extents_resident(&extents), 15u * MANY);
}

/* --- against a map of all pages -------------------------------------------- */

#define PAGES 64u
#define ROUNDS 2000

/* Add ranges as a look at a file finds them, some with resident pages. */
static size_t add_random(bool whole, bool *seen)
{
	const size_t start = (size_t)rand() % PAGES;
	const size_t length = 1 + (size_t)rand() % (PAGES - start);
	size_t resident = 0;

	for (size_t i = start; i < start + length; i++)
		if (whole || rand() % 2) {
			seen[i] = true;
			resident++;
		}
	add(start, start + length, resident);
	return resident;
}

static void no_page_counts_twice_and_whole_ranges_are_exact(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		const bool whole = round % 2;
		bool seen[PAGES] = { false };
		size_t distinct = 0, largest = 0, found;

		for (int i = rand() % 6; i >= 0; i--) {
			const size_t has = add_random(whole, seen);

			largest = has > largest ? has : largest;
		}
		for (size_t i = 0; i < PAGES; i++)
			distinct += seen[i];
		found = vmsi_extents_resident(&extents);
		assert_in_range(found, whole ? distinct : largest, distinct);
		vmsi_extents_free(&extents);
	}
}

#define CASE(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_resident_of_nothing),
		CASE(pieces_add_up_in_any_order),
		CASE(the_same_range_counts_once),
		CASE(ranges_that_overlap_are_one),
		CASE(pieces_lie_in_a_whole_that_is_hardly_resident),
		CASE(what_may_be_the_same_counts_once),
		CASE(the_last_offset_is_one),
		CASE(many_pieces_are_counted_soon),
		CASE(no_page_counts_twice_and_whole_ranges_are_exact),
	};

	return cmocka_run_group_tests_name("group_extents", tests, NULL, NULL);
}
