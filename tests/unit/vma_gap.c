/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vma_fixture.h"

#define NOWHERE SIZE_MAX

/*
 * Return the page of the gap that is found, or NOWHERE. A gap is free addresses
 * between mappings.
 */
static size_t search(size_t length, size_t alignment, size_t residue,
		     enum vmsi_gap_end end)
{
	struct vmsi_gap_request request = {
		.length = length * PAGE,
		.alignment = alignment * PAGE,
		.residue = residue * PAGE,
		.end = end,
	};
	uintptr_t start = 1;
	int error = vmsi_map_find_gap(&map, &request, &start);

	if (error) {
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(start, 1);
		return NOWHERE;
	}
	return page_of(start);
}

static size_t lowest(size_t length)
{
	return search(length, 1, 0, VMSI_GAP_LOW);
}

static size_t highest(size_t length)
{
	return search(length, 1, 0, VMSI_GAP_HIGH);
}

static void an_empty_map_is_one_gap(void **state)
{
	struct vmsi_range gap = vmsi_map_largest_gap(&map);

	(void)state;
	assert_int_equal(gap.start, at(0));
	assert_int_equal(gap.end, at(PAGES));
	assert_int_equal(lowest(1), 0);
	assert_int_equal(lowest(PAGES), 0);
	assert_int_equal(lowest(PAGES + 1), NOWHERE);
	assert_int_equal(highest(1), PAGES - 1);
	assert_int_equal(highest(PAGES), 0);
}

static void a_full_map_has_no_gap(void **state)
{
	struct vmsi_range gap;

	(void)state;
	insert(0, PAGES);
	gap = vmsi_map_largest_gap(&map);
	assert_int_equal(vmsi_range_length(gap), 0);
	assert_int_equal(lowest(1), NOWHERE);
	assert_int_equal(highest(1), NOWHERE);
}

static void the_smallest_gap_that_fits_is_taken(void **state)
{
	(void)state;
	/* Gaps of 8, 2, 4 and 40 pages. */
	insert(8, 10);
	insert(12, 14);
	insert(18, 24);
	assert_int_equal(lowest(1), 10);
	assert_int_equal(lowest(2), 10);
	assert_int_equal(lowest(3), 14);
	assert_int_equal(lowest(5), 0);
	assert_int_equal(lowest(9), 24);
	assert_int_equal(lowest(41), NOWHERE);
	assert_int_equal(highest(1), 11);
	assert_int_equal(highest(3), 15);
	assert_int_equal(highest(5), 3);
	assert_int_equal(highest(9), 55);
	assert_int_equal(vmsi_map_largest_gap(&map).start, at(24));
}

static void of_equal_gaps_the_lowest_or_highest_is_taken(void **state)
{
	(void)state;
	/* Gaps of 2 at 10, 20 and 30; all else is mapped. */
	insert(0, 10);
	insert(12, 20);
	insert(22, 30);
	insert(32, PAGES);
	assert_int_equal(lowest(1), 10);
	assert_int_equal(lowest(2), 10);
	assert_int_equal(highest(2), 30);
	assert_int_equal(highest(1), 31);
}

static void a_place_is_congruent_to_what_was_asked(void **state)
{
	(void)state;
	/* BASE is a multiple of 64 pages. Gaps of 3 at 1, 4 at 8, 44 at 20. */
	insert(0, 1);
	insert(4, 8);
	insert(12, 20);
	assert_int_equal(search(3, 4, 1, VMSI_GAP_LOW), 1);
	assert_int_equal(search(3, 4, 0, VMSI_GAP_LOW), 8);
	assert_int_equal(search(3, 8, 1, VMSI_GAP_LOW), 1);
	assert_int_equal(search(3, 8, 2, VMSI_GAP_LOW), 26);
	assert_int_equal(search(3, 8, 2, VMSI_GAP_HIGH), 58);
	assert_int_equal(search(3, 16, 5, VMSI_GAP_LOW), 21);
	assert_int_equal(search(2, 4, 2, VMSI_GAP_HIGH), 2);
	assert_int_equal(search(40, 8, 4, VMSI_GAP_LOW), 20);
	assert_int_equal(search(40, 8, 3, VMSI_GAP_LOW), NOWHERE);
	assert_int_equal(search(40, 8, 0, VMSI_GAP_LOW), 24);
	assert_int_equal(search(40, 8, 1, VMSI_GAP_LOW), NOWHERE);
}

static void room_behind_what_grew_is_kept(void **state)
{
	struct vmsi_attributes grew = plain;

	(void)state;
	grew.flags |= VMSI_GREW;
	insert_as(0, 4, 0, &grew);
	insert(20, PAGES);
	assert_int_equal(lowest(2), 18);
	assert_int_equal(highest(2), 18);
	assert_int_equal(search(2, 4, 0, VMSI_GAP_LOW), 16);
	assert_int_equal(lowest(16), 4);
	assert_int_equal(lowest(17), NOWHERE);
}

static void a_guard_is_kept_below_what_grows_down(void **state)
{
	struct vmsi_attributes stack = plain;

	(void)state;
	stack.flags |= VMSI_GROWSDOWN;
	insert(0, 10);
	insert_as(20, PAGES, 0, &stack);
	assert_int_equal(lowest(6), 10);
	assert_int_equal(lowest(7), NOWHERE);
	assert_int_equal(highest(2), 20 - STACK_GUARD_PAGES - 2);
	assert_int_equal(vmsi_map_largest_gap(&map).end,
			 at(20 - STACK_GUARD_PAGES));
	/* A gap smaller than the guard does not do. */
	insert(10, 17);
	assert_int_equal(lowest(1), NOWHERE);
}

static void clear_growsdown(struct vmsi_mapping *piece, void *context)
{
	(void)context;
	piece->attributes.flags &= ~VMSI_GROWSDOWN;
}

static void a_guard_comes_and_goes_with_its_mapping(void **state)
{
	struct vmsi_attributes stack = plain;

	(void)state;
	stack.flags |= VMSI_GROWSDOWN;
	insert(0, 10);
	insert_as(12, PAGES, 0, &stack);
	assert_int_equal(lowest(1), NOWHERE);
	vmsi_map_update(&map, pages(12, PAGES), clear_growsdown, NULL);
	assert_sound();
	assert_int_equal(lowest(2), 10);
	assert_int_equal(lowest(3), NOWHERE);
}

static void a_hole_in_what_grows_down_has_a_guard(void **state)
{
	struct vmsi_attributes stack = plain;

	(void)state;
	stack.flags |= VMSI_GROWSDOWN;
	insert_as(0, PAGES, 0, &stack);
	erase(10, 18);
	assert_int_equal(lowest(4), 10);
	assert_int_equal(lowest(5), NOWHERE);
}

static void erase_makes_one_gap_of_its_neighbours(void **state)
{
	(void)state;
	insert(10, 12);
	insert(14, 16);
	insert(18, PAGES);
	erase(10, 16);
	assert_int_equal(vmsi_map_largest_gap(&map).start, at(0));
	assert_int_equal(vmsi_map_largest_gap(&map).end, at(18));
	assert_int_equal(lowest(18), 0);
}

/*
 * A search looks at a bounded number of gaps. These maps have more that are large
 * enough but do not fit the alignment, and one that fits exactly.
 */

#define MANY_PAGES 4096
#define BAD_GAPS 400

static void open_large_map(void)
{
	struct vmsi_range bounds = { BASE, BASE + MANY_PAGES * PAGE };

	vmsi_map_destroy(&map);
	vmsi_map_init(&map, bounds, 0, chunks_source(&chunks));
}

static void assert_only_certain_gap_is_found(size_t first, size_t end,
					     size_t length, size_t residue,
					     size_t place)
{
	assert_int_equal(search(length, 8, residue, VMSI_GAP_LOW), NOWHERE);
	assert_int_equal(search(length, 8, residue, VMSI_GAP_HIGH), NOWHERE);
	erase(first, end);
	assert_int_equal(search(length, 8, residue, VMSI_GAP_LOW), place);
	assert_int_equal(search(length, 8, residue, VMSI_GAP_HIGH), place);
}

static void a_certain_gap_is_found_among_holes(void **state)
{
	(void)state;
	open_large_map();
	insert(0, MANY_PAGES);
	for (size_t i = 0; i < BAD_GAPS; i++)
		erase(8 * i + 3, 8 * i + 5);
	assert_only_certain_gap_is_found(4001, 4010, 2, 0, 4008);
	/* Gaps that do not fit one residue fit another. */
	assert_int_equal(search(2, 8, 3, VMSI_GAP_HIGH), 8 * (BAD_GAPS - 1) + 3);
}

static void a_certain_gap_is_found_between_insertions(void **state)
{
	(void)state;
	open_large_map();
	insert(0, 3);
	for (size_t i = 0; i < BAD_GAPS; i++)
		insert(8 * i + 5, 8 * i + 11);
	insert(8 * BAD_GAPS + 3, 4001);
	insert(4010, MANY_PAGES);
	assert_int_equal(search(2, 8, 0, VMSI_GAP_LOW), 4008);
	assert_int_equal(search(2, 8, 0, VMSI_GAP_HIGH), 4008);
}

static void a_certain_gap_is_found_behind_trimmed_ends(void **state)
{
	struct vmsi_attributes other = plain;

	(void)state;
	other.prot = PROT_READ;
	open_large_map();
	for (size_t i = 0; i < MANY_PAGES / 8; i++)
		insert_as(8 * i, 8 * i + 8, 0, i & 1 ? &other : &plain);
	for (size_t i = 0; i < BAD_GAPS; i++)
		erase(8 * i + 6, 8 * i + 8);
	/* The gap is one page too small to do for every alignment. */
	erase(3974, 3982);
	assert_only_certain_gap_is_found(4006, 4015, 2, 5, 4013);
}

/* All gaps start aligned, so that each wastes the residue. */
static void a_certain_gap_is_found_where_all_start_alike(void **state)
{
	(void)state;
	open_large_map();
	insert(0, MANY_PAGES);
	for (size_t i = 0; i < BAD_GAPS / 2; i++)
		erase(16 * i, 16 * i + 8);
	assert_only_certain_gap_is_found(4000, 4016, 8, 3, 4003);
}

static void sizes_past_all_addresses_fit_nowhere(void **state)
{
	struct vmsi_gap_request request = {
		.length = SIZE_MAX & ~(PAGE - 1), .alignment = PAGE,
	};
	uintptr_t start;

	(void)state;
	assert_int_equal(vmsi_map_find_gap(&map, &request, &start), -ENOMEM);
	request.alignment = (SIZE_MAX >> 1) + 1;
	request.length = PAGE;
	assert_int_equal(vmsi_map_find_gap(&map, &request, &start), -ENOMEM);
	request.residue = at(7);
	assert_int_equal(vmsi_map_find_gap(&map, &request, &start), 0);
	assert_int_equal(start, at(7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		map_test(an_empty_map_is_one_gap),
		map_test(a_full_map_has_no_gap),
		map_test(the_smallest_gap_that_fits_is_taken),
		map_test(of_equal_gaps_the_lowest_or_highest_is_taken),
		map_test(a_place_is_congruent_to_what_was_asked),
		map_test(room_behind_what_grew_is_kept),
		map_test(a_guard_is_kept_below_what_grows_down),
		map_test(a_guard_comes_and_goes_with_its_mapping),
		map_test(a_hole_in_what_grows_down_has_a_guard),
		map_test(erase_makes_one_gap_of_its_neighbours),
		map_test(a_certain_gap_is_found_among_holes),
		map_test(a_certain_gap_is_found_between_insertions),
		map_test(a_certain_gap_is_found_behind_trimmed_ends),
		map_test(a_certain_gap_is_found_where_all_start_alike),
		map_test(sizes_past_all_addresses_fit_nowhere),
	};

	return cmocka_run_group_tests_name("vma_gap", tests, NULL, NULL);
}
