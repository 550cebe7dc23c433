/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vma_fixture.h"

static void an_empty_map_holds_nothing(void **state)
{
	(void)state;
	assert_sound();
	assert_null(vmsi_map_find(&map, BASE));
	assert_null(vmsi_map_lookup(&map, BASE));
	assert_true(vmsi_map_is_free(&map, pages(0, PAGES)));
	erase(0, PAGES);
	assert_int_equal(map.count, 0);
	assert_int_equal(map.mapped, 0);
}

static void lookup_finds_what_holds_an_address(void **state)
{
	struct vmsi_mapping *first = insert(4, 8), *second = insert(12, 14);

	(void)state;
	assert_null(vmsi_map_lookup(&map, at(4) - 1));
	assert_ptr_equal(vmsi_map_lookup(&map, at(4)), first);
	assert_ptr_equal(vmsi_map_lookup(&map, at(8) - 1), first);
	assert_null(vmsi_map_lookup(&map, at(8)));
	assert_ptr_equal(vmsi_map_lookup(&map, at(13)), second);
	assert_null(vmsi_map_lookup(&map, at(PAGES)));
	assert_null(vmsi_map_lookup(&map, UINTPTR_MAX));
}

static void find_goes_on_to_the_next_mapping(void **state)
{
	struct vmsi_mapping *first = insert(4, 8), *second = insert(12, 14);

	(void)state;
	assert_ptr_equal(vmsi_map_find(&map, 0), first);
	assert_ptr_equal(vmsi_map_find(&map, at(8) - 1), first);
	assert_ptr_equal(vmsi_map_find(&map, at(8)), second);
	assert_null(vmsi_map_find(&map, at(14)));
	assert_null(vmsi_map_find(&map, UINTPTR_MAX));
}

static void walks_end_at_both_ends(void **state)
{
	struct vmsi_mapping *first = insert(0, 1), *last = insert(63, 64);

	(void)state;
	assert_null(vmsi_map_previous(first));
	assert_ptr_equal(vmsi_map_next(first), last);
	assert_ptr_equal(vmsi_map_previous(last), first);
	assert_null(vmsi_map_next(last));
}

static void a_range_is_free_where_nothing_is_mapped(void **state)
{
	(void)state;
	insert(4, 8);
	assert_true(vmsi_map_is_free(&map, pages(0, 4)));
	assert_true(vmsi_map_is_free(&map, pages(8, PAGES)));
	assert_false(vmsi_map_is_free(&map, pages(0, 5)));
	assert_false(vmsi_map_is_free(&map, pages(7, 9)));
	assert_false(vmsi_map_is_free(&map, pages(5, 6)));
	assert_true(vmsi_map_is_free(&map, pages(5, 5)));
}

static void equal_neighbours_become_one(void **state)
{
	struct vmsi_mapping *low, *high;

	(void)state;
	low = insert(4, 6);
	high = insert(8, 10);
	assert_string_equal(layout(), "[4,6)[8,10)");
	assert_ptr_equal(insert(6, 7), low);
	assert_string_equal(layout(), "[4,7)[8,10)");
	assert_ptr_equal(insert(10, 12), high);
	assert_string_equal(layout(), "[4,7)[8,12)");
	assert_ptr_equal(insert(7, 8), low);
	assert_string_equal(layout(), "[4,12)");
	assert_ptr_equal(insert(2, 4), low);
	assert_string_equal(layout(), "[2,12)");
	assert_int_equal(map.count, 1);
	assert_int_equal(map.mapped, 10 * PAGE);
}

static void different_neighbours_stay_apart(void **state)
{
	struct vmsi_attributes differing[6];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		differing[i] = plain;
	differing[0].prot = PROT_READ;
	differing[1].flags |= VMSI_LOCKED;
	differing[2].flags |= VMSI_FOREIGN;
	differing[3].name = NAME(1);
	differing[4].page_shift = 21;
	differing[5].object = OBJECT(1);
	for (size_t i = 0; i < 6; i++) {
		insert(4, 6);
		insert_as(6, 8, 0, &differing[i]);
		insert(8, 10);
		assert_string_equal(layout(), "[4,6)[6,8)[8,10)");
		erase(4, 10);
	}
}

static void parts_of_an_object_merge_where_offsets_go_on(void **state)
{
	struct vmsi_attributes file = plain;

	(void)state;
	file.object = OBJECT(1);
	insert_as(4, 6, 10 * PAGE, &file);
	insert_as(6, 8, 12 * PAGE, &file);
	assert_string_equal(layout(), "[4,8)");
	insert_as(8, 9, 15 * PAGE, &file);
	assert_string_equal(layout(), "[4,8)[8,9)");
	insert_as(2, 4, 8 * PAGE, &file);
	assert_string_equal(layout(), "[2,8)[8,9)");
	assert_int_equal(vmsi_map_find(&map, at(2))->offset, 8 * PAGE);
	file.object = OBJECT(2);
	insert_as(9, 10, 16 * PAGE, &file);
	assert_string_equal(layout(), "[2,8)[8,9)[9,10)");
}

static void offsets_do_not_matter_without_an_object(void **state)
{
	(void)state;
	insert_as(4, 6, 7 * PAGE, &plain);
	insert_as(6, 8, 99 * PAGE, &plain);
	assert_string_equal(layout(), "[4,8)");
	assert_int_equal(vmsi_map_find(&map, at(4))->offset, 0);
}

static void hints_do_not_keep_neighbours_apart(void **state)
{
	struct vmsi_attributes touched = plain, grew = plain;

	(void)state;
	touched.flags |= VMSI_TOUCHED;
	grew.flags |= VMSI_GREW;
	insert_as(4, 5, 0, &touched);
	insert_as(6, 7, 0, &grew);
	insert(5, 6);
	assert_string_equal(layout(), "[4,7)");
	assert_int_equal(vmsi_map_find(&map, at(4))->attributes.flags,
			 plain.flags | VMSI_HINT_FLAGS);
}

static void erase_cuts_at_both_ends(void **state)
{
	(void)state;
	insert(4, 12);
	erase(10, 14);
	assert_string_equal(layout(), "[4,10)");
	erase(2, 6);
	assert_string_equal(layout(), "[6,10)");
	erase(7, 8);
	assert_string_equal(layout(), "[6,7)[8,10)");
	erase(0, PAGES);
	assert_string_equal(layout(), "");
	assert_int_equal(map.mapped, 0);
}

static void erase_crosses_mappings_and_holes(void **state)
{
	(void)state;
	insert(1, 3);
	insert(4, 6);
	insert(8, 9);
	insert(10, 14);
	erase(2, 12);
	assert_string_equal(layout(), "[1,2)[12,14)");
	assert_int_equal(map.count, 2);
	assert_int_equal(map.mapped, 3 * PAGE);
}

static void erase_of_a_hole_changes_nothing(void **state)
{
	(void)state;
	insert(4, 6);
	insert(8, 10);
	erase(6, 8);
	erase(0, 4);
	erase(10, PAGES);
	erase(5, 5);
	assert_string_equal(layout(), "[4,6)[8,10)");
}

static void parts_of_a_split_keep_their_offsets(void **state)
{
	struct vmsi_attributes file = plain;
	struct vmsi_mapping *low;

	(void)state;
	file.object = OBJECT(3);
	low = insert_as(4, 12, 100 * PAGE, &file);
	erase(6, 8);
	assert_ptr_equal(vmsi_map_lookup(&map, at(4)), low);
	assert_int_equal(low->offset, 100 * PAGE);
	assert_int_equal(vmsi_map_next(low)->offset, 104 * PAGE);
	erase(4, 5);
	assert_int_equal(vmsi_map_lookup(&map, at(5))->offset, 101 * PAGE);
}

static void set_prot(struct vmsi_mapping *piece, void *context)
{
	piece->attributes.prot = *(uint32_t *)context;
}

static void update_prot(size_t first, size_t end, uint32_t prot)
{
	assert_int_equal(vmsi_map_reserve(&map, 2), 0);
	vmsi_map_update(&map, pages(first, end), set_prot, &prot);
	assert_sound();
}

static void update_splits_at_its_ends_and_merges(void **state)
{
	struct vmsi_mapping *low;

	(void)state;
	low = insert(4, 12);
	update_prot(6, 8, PROT_READ);
	assert_string_equal(layout(), "[4,6)[6,8)[8,12)");
	update_prot(7, 9, PROT_READ);
	assert_string_equal(layout(), "[4,6)[6,9)[9,12)");
	update_prot(0, PAGES, PROT_NONE);
	assert_string_equal(layout(), "[4,12)");
	assert_ptr_equal(vmsi_map_lookup(&map, at(4)), low);
	update_prot(4, 12, PROT_NONE);
	assert_string_equal(layout(), "[4,12)");
	update_prot(5, 6, PROT_NONE);
	assert_string_equal(layout(), "[4,12)");
	assert_int_equal(map.count, 1);
	assert_int_equal(map.mapped, 8 * PAGE);
}

static void update_merges_with_what_is_outside(void **state)
{
	struct vmsi_attributes read_only = plain;

	(void)state;
	read_only.prot = PROT_READ;
	insert_as(2, 4, 0, &read_only);
	insert(4, 8);
	insert_as(8, 10, 0, &read_only);
	update_prot(4, 8, PROT_READ);
	assert_string_equal(layout(), "[2,10)");
}

static void note_piece(struct vmsi_mapping *piece, void *context)
{
	char *text = context;
	size_t length = strlen(text);

	snprintf(text + length, 100 - length, "[%zu,%zu)",
		 page_of(piece->start), page_of(piece->end));
}

static void update_gives_each_piece_once_in_ascending_order(void **state)
{
	char text[100] = "";
	struct vmsi_attributes other = plain;

	(void)state;
	other.prot = PROT_READ;
	insert(2, 6);
	insert_as(6, 8, 0, &other);
	insert(10, 14);
	assert_int_equal(vmsi_map_reserve(&map, 2), 0);
	vmsi_map_update(&map, pages(4, 12), note_piece, text);
	assert_sound();
	assert_string_equal(text, "[4,6)[6,8)[10,12)");
	assert_string_equal(layout(), "[2,6)[6,8)[10,14)");
}

static void update_of_a_hole_changes_nothing(void **state)
{
	char text[100] = "";

	(void)state;
	insert(2, 6);
	insert(8, 10);
	vmsi_map_update(&map, pages(6, 8), note_piece, text);
	vmsi_map_update(&map, pages(10, PAGES), note_piece, text);
	vmsi_map_update(&map, pages(4, 4), note_piece, text);
	assert_string_equal(text, "");
	assert_string_equal(layout(), "[2,6)[8,10)");
	assert_sound();
}

static void drop_object(struct vmsi_mapping *piece, void *context)
{
	(void)context;
	piece->attributes.object = NULL;
}

static void a_mapping_that_loses_its_object_loses_its_offset(void **state)
{
	struct vmsi_attributes file = plain;

	(void)state;
	file.object = OBJECT(1);
	insert_as(4, 6, 9 * PAGE, &file);
	insert(6, 8);
	vmsi_map_update(&map, pages(4, 6), drop_object, NULL);
	assert_sound();
	assert_string_equal(layout(), "[4,8)");
}

/* Take records of the pool until so many are left; they are in no map. */
static void drain(struct vmsi_pool *pool, size_t left)
{
	size_t used = pool->used_count;

	while (pool->free_count > left)
		vmsi_pool_take(pool);
	pool->used_count = used;
}

/* Leave so many records and their nodes, and no memory for more. */
static void exhaust(size_t records)
{
	size_t nodes = 2 * vmsi_tree_nodes_max(map.count + 1 + records);

	assert_int_equal(vmsi_map_reserve(&map, records), 0);
	chunks.chunks_left = 0;
	drain(&map.pool, records);
	drain(&map.nodes, nodes - map.nodes.used_count);
}

static void reserve_fails_where_there_is_no_memory(void **state)
{
	(void)state;
	chunks.chunks_left = 0;
	assert_int_equal(vmsi_map_reserve(&map, 1), -ENOMEM);
	assert_sound();
	chunks.chunks_left = SIZE_MAX;
	insert(4, 8);
	exhaust(0);
	assert_int_equal(vmsi_map_reserve(&map, 1), -ENOMEM);
	assert_string_equal(layout(), "[4,8)");
	assert_sound();
}

/* A reserve must fail when it gets records but no nodes. */
static void reserve_fails_where_there_is_no_memory_for_nodes(void **state)
{
	(void)state;
	assert_int_equal(vmsi_pool_reserve(&map.pool, 100), 0);
	chunks.chunks_left = 0;
	assert_int_equal(vmsi_map_reserve(&map, 10), 0);
	assert_int_equal(vmsi_map_reserve(&map, 100), -ENOMEM);
	assert_sound();
	chunks.chunks_left = SIZE_MAX;
	assert_int_equal(vmsi_map_reserve(&map, 100), 0);
	assert_true(map.nodes.free_count >= 2 * vmsi_tree_nodes_max(101));
}

static void each_operation_needs_no_more_records_than_promised(void **state)
{
	uint32_t prot = PROT_READ;

	(void)state;
	insert(4, 12);
	exhaust(1);
	vmsi_map_insert(&map, pages(20, 30), 0, &plain);
	assert_sound();
	chunks.chunks_left = SIZE_MAX;
	exhaust(2);
	vmsi_map_update(&map, pages(6, 8), set_prot, &prot);
	assert_sound();
	assert_string_equal(layout(), "[4,6)[6,8)[8,12)[20,30)");
	chunks.chunks_left = SIZE_MAX;
	exhaust(1);
	vmsi_map_erase(&map, pages(22, 24));
	assert_sound();
	assert_string_equal(layout(), "[4,6)[6,8)[8,12)[20,22)[24,30)");
	/* With no record left, operations that need none still work. */
	exhaust(0);
	vmsi_map_erase(&map, pages(5, 25));
	vmsi_map_insert(&map, pages(5, 6), 0, &plain);
	assert_sound();
	assert_string_equal(layout(), "[4,6)[25,30)");
}

static void a_destroyed_map_is_empty_and_usable(void **state)
{
	(void)state;
	insert(4, 8);
	insert(10, 12);
	vmsi_map_destroy(&map);
	assert_int_equal(chunks.live, 0);
	assert_string_equal(layout(), "");
	assert_sound();
	insert(0, PAGES);
	assert_string_equal(layout(), "[0,64)");
}

#define LARGE 20000
#define LARGE_BASE ((uintptr_t)1 << 32)

/* Return a range of two pages at every fourth page. */
static struct vmsi_range large_range(size_t number)
{
	uintptr_t start = LARGE_BASE + number * 4 * PAGE;

	return (struct vmsi_range){ start, start + 2 * PAGE };
}

/* Maps too large for the caches are read ahead, and must answer the same. */
static void a_large_map_answers_as_a_small_one(void **state)
{
	struct vmsi_range bounds = { LARGE_BASE, large_range(LARGE).start };

	(void)state;
	vmsi_map_destroy(&map);
	vmsi_map_init(&map, bounds, 0, chunks_source(&chunks));
	for (size_t i = 0; i < LARGE; i++) {
		assert_int_equal(vmsi_map_reserve(&map, 1), 0);
		vmsi_map_insert(&map, large_range(i), 0, &plain);
	}
	assert_true(vmsi_tree_is_large(&map.by_address));
	assert_sound();
	for (size_t i = 1; i < LARGE; i += 2)
		vmsi_map_erase(&map, large_range(i));
	assert_sound();
	for (size_t i = 0; i < LARGE; i++) {
		struct vmsi_mapping *held =
			vmsi_map_lookup(&map, large_range(i).end - 1);

		assert_int_equal(held != NULL, i % 2 == 0);
		assert_true(!held || held->start == large_range(i).start);
	}
	for (size_t i = LARGE; i-- > 0;)
		vmsi_map_erase(&map, large_range(i));
	assert_sound();
	assert_int_equal(map.count, 0);
	assert_int_equal(map.nodes.used_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		map_test(an_empty_map_holds_nothing),
		map_test(lookup_finds_what_holds_an_address),
		map_test(find_goes_on_to_the_next_mapping),
		map_test(walks_end_at_both_ends),
		map_test(a_range_is_free_where_nothing_is_mapped),
		map_test(equal_neighbours_become_one),
		map_test(different_neighbours_stay_apart),
		map_test(parts_of_an_object_merge_where_offsets_go_on),
		map_test(offsets_do_not_matter_without_an_object),
		map_test(hints_do_not_keep_neighbours_apart),
		map_test(erase_cuts_at_both_ends),
		map_test(erase_crosses_mappings_and_holes),
		map_test(erase_of_a_hole_changes_nothing),
		map_test(parts_of_a_split_keep_their_offsets),
		map_test(update_splits_at_its_ends_and_merges),
		map_test(update_merges_with_what_is_outside),
		map_test(update_gives_each_piece_once_in_ascending_order),
		map_test(update_of_a_hole_changes_nothing),
		map_test(a_mapping_that_loses_its_object_loses_its_offset),
		map_test(reserve_fails_where_there_is_no_memory),
		map_test(reserve_fails_where_there_is_no_memory_for_nodes),
		map_test(each_operation_needs_no_more_records_than_promised),
		map_test(a_large_map_answers_as_a_small_one),
		map_test(a_destroyed_map_is_empty_and_usable),
	};

	return cmocka_run_group_tests_name("vma_map", tests, NULL, NULL);
}
