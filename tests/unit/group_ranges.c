/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "group/measure/memory_files.h"

static struct vmsi_ranges ranges;

static int release(void **state)
{
	(void)state;
	vmsi_ranges_free(&ranges);
	return 0;
}

static void add(uint64_t start, uint64_t end)
{
	assert_true(vmsi_ranges_add(&ranges, start, end));
}

static uint64_t all(void)
{
	return vmsi_ranges_within(&ranges, 0, UINT64_MAX);
}

static void pieces_become_one_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(all(), 0);
	add(100, 200);
	add(300, 400);
	assert_int_equal(ranges.count, 2);
	add(200, 300);
	assert_int_equal(ranges.count, 1);
	add(0, 100);
	assert_int_equal(ranges.count, 1);
	assert_int_equal(all(), 400);
}

static void what_overlaps_counts_once(void **state)
{
	(void)state;
	add(100, 200);
	add(150, 250);
	add(100, 250);
	add(120, 130);
	add(600, 700);
	add(50, 800);
	add(300, 300);
	assert_int_equal(ranges.count, 1);
	assert_int_equal(all(), 750);
}

static void only_what_is_within_is_told(void **state)
{
	(void)state;
	add(100, 200);
	add(300, 400);
	assert_int_equal(vmsi_ranges_within(&ranges, 150, 350), 100);
	assert_int_equal(vmsi_ranges_within(&ranges, 200, 300), 0);
	assert_int_equal(vmsi_ranges_within(&ranges, 0, 100), 0);
	assert_int_equal(vmsi_ranges_within(&ranges, 400, 900), 0);
	assert_int_equal(vmsi_ranges_within(&ranges, 150, 160), 10);
}

/* --- against a map of all pages -------------------------------------------- */

#define PAGES 64u
#define ROUNDS 3000

struct shadow {
	bool has[PAGES];
};

static void take_random(uint64_t *start, uint64_t *end)
{
	*start = (uint64_t)rand() % PAGES;
	*end = *start + (uint64_t)rand() % (PAGES - *start + 1);
}

static void expect_same(const struct vmsi_ranges *set,
			const struct shadow *shadow)
{
	size_t runs = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		assert_int_equal(vmsi_ranges_within(set, i, i + 1),
				 shadow->has[i]);
		runs += shadow->has[i] && (i == 0 || !shadow->has[i - 1]);
	}
	assert_int_equal(set->count, runs);
}

static void add_some(struct vmsi_ranges *set, struct shadow *shadow)
{
	for (int i = rand() % 12; i > 0; i--) {
		uint64_t start, end;

		take_random(&start, &end);
		assert_true(vmsi_ranges_add(set, start, end));
		for (uint64_t at = start; at < end; at++)
			shadow->has[at] = true;
	}
	expect_same(set, shadow);
}

static void sets_are_as_of_all_pages(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct shadow one = { { false } }, other = { { false } };
		struct vmsi_ranges common = { NULL, 0, 0 };
		uint64_t start, end;

		add_some(&ranges, &one);
		add_some(&common, &other);
		take_random(&start, &end);
		assert_true(vmsi_ranges_add_common(&common, &ranges, start,
						   end));
		for (uint64_t at = start; at < end; at++)
			other.has[at] |= one.has[at];
		expect_same(&common, &other);
		vmsi_ranges_free(&common);
		vmsi_ranges_free(&ranges);
	}
}

/* --- files ---------------------------------------------------------------- */

static void files_are_found_by_device_and_inode(void **state)
{
	struct vmsi_memory_files files = { NULL, 0, 0 };
	struct vmsi_file_part part = {
		.device = 2, .inode = 7, .size = 100, .start = 10, .end = 60 };

	(void)state;
	for (uint64_t inode = 40; inode-- > 0;)
		assert_non_null(vmsi_memory_files_note(&files, inode % 3,
						       inode / 3, inode));
	assert_int_equal(files.count, 40);
	for (uint64_t inode = 0; inode < 40; inode++)
		assert_int_equal(vmsi_memory_files_find(&files, inode % 3,
							inode / 3)->size,
				 inode);
	assert_null(vmsi_memory_files_find(&files, 3, 0));
	assert_null(vmsi_memory_files_find(&files, 2, 99));
	assert_int_equal(vmsi_memory_files_missing(&files, &part), 50);
	vmsi_memory_files_count(&files, &part);
	assert_int_equal(vmsi_memory_files_missing(&files, &part), 0);
	part.start = 0;
	assert_int_equal(vmsi_memory_files_missing(&files, &part), 10);
	/* All of an unknown file is missing until it is added. */
	part.inode = 99;
	assert_int_equal(vmsi_memory_files_missing(&files, &part), 60);
	vmsi_memory_files_count(&files, &part);
	assert_int_equal(vmsi_memory_files_find(&files, 2, 99)->size, 100);
	assert_int_equal(vmsi_memory_files_missing(&files, &part), 0);
	vmsi_memory_files_free(&files);
}

#define CASE(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pieces_become_one_in_any_order),
		CASE(what_overlaps_counts_once),
		CASE(only_what_is_within_is_told),
		CASE(sets_are_as_of_all_pages),
		CASE(files_are_found_by_device_and_inode),
	};

	return cmocka_run_group_tests_name("group_ranges", tests, NULL, NULL);
}
