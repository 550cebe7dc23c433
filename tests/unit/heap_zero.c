/* SPDX-License-Identifier: MIT */
#include "heap_fixture.h"

/* calloc returns zeroed memory, whatever was in it before. */

static const size_t sizes[] = {
	1, 4096, 65536, 65537, 100000, MIB, MIB + 1, 3 * MIB, 70 * MIB,
};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void new_memory_is_zero(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		unsigned char *block = make_zero(sizes[i]);

		assert_zero(block, sizes[i]);
		fill(block, sizes[i]);
		drop(block);
	}
}

/* Allocate all sizes in the memory that freed blocks of all sizes have left. */
static void used_memory_is_zero_again(void **state)
{
	unsigned char *blocks[SIZES];

	(void)state;
	for (int round = 0; round < 6; round++) {
		for (size_t i = 0; i < SIZES; i++) {
			blocks[i] = round % 2 ? make_zero(sizes[i]) :
						make(sizes[i]);
			if (round % 2)
				assert_zero(blocks[i], sizes[i]);
			memset(blocks[i], 0xff,
			       vms_heap_usable_size(heap, blocks[i]));
		}
		for (size_t i = 0; i < SIZES; i++)
			drop(blocks[i]);
	}
}

/* A new run takes the memory of a retained slot. */
static void a_run_in_a_used_slot_gives_zeroes(void **state)
{
	unsigned char *slot = make(60 * MIB), *block;
	struct vms_heap_stats stats;

	(void)state;
	memset(slot, 0xff, 60 * MIB);
	drop(slot);
	block = make_zero(300 * KIB);
	assert_ptr_equal(slot_of(block), slot_of(slot));
	assert_zero(block, 300 * KIB);
	stats = stats_now();
	/* The run's unused part counts as retained. */
	assert_in_range(stats.retained, 58 * MIB, 61 * MIB);
	assert_int_equal(vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL),
			 stats.retained);
	assert_in_range(stats_now().resident, 300 * KIB, 3 * MIB);
	drop(block);
}

static void a_block_that_was_grown_out_leaves_zeroes(void **state)
{
	unsigned char *block = make_filled(100 * KIB), *grown, *again;

	(void)state;
	grown = resize(block, 5 * MIB);
	assert_ptr_not_equal(grown, block);
	again = make_zero(100 * KIB);
	assert_ptr_equal(again, block);
	assert_zero(again, 100 * KIB);
	assert_filled(grown, 100 * KIB);
	drop(grown);
	drop(again);
}

/* After full tables the heap clears retained memory and keeps its pages. */
static void expect_full_tables(void)
{
	atomic_store(&heap->density.of_calloc, 4);
}

static void a_move_into_used_memory_is_remembered(void **state)
{
	unsigned char *used = make(100 * MIB), *block, *table;

	(void)state;
	expect_full_tables();
	memset(used, 0xff, 100 * MIB);
	drop(used);
	block = resize(make_filled(60 * MIB), 65 * MIB);
	assert_ptr_equal(block, used);
	assert_filled(block, 60 * MIB);
	drop(block);
	table = make_zero(100 * MIB);
	assert_ptr_equal(table, used);
	assert_zero(table, 100 * MIB);
	drop(table);
}

static void growth_into_used_memory_is_remembered(void **state)
{
	unsigned char *block = make_filled(MIB), *used = make(30 * MIB);
	unsigned char *table;

	(void)state;
	expect_full_tables();
	memset(used, 0xff, 30 * MIB);
	drop(used);
	block = resize(block, 2 * MIB);
	assert_ptr_equal(block, used);
	drop(block);
	table = make_zero(30 * MIB);
	assert_ptr_equal(table, used);
	assert_zero(table, 30 * MIB);
	drop(table);
}

static void what_was_cut_off_is_zero_for_the_next(void **state)
{
	unsigned char *block = make(20 * MIB);

	(void)state;
	memset(block, 0xff, 20 * MIB);
	block = resize(block, 19 * MIB);
	block = resize(block, 2 * MIB);
	drop(block);
	block = make_zero(30 * MIB);
	assert_zero(block, 30 * MIB);
	drop(block);
}

/* The program may write up to the usable size, so all of that must be cleared. */
static void all_that_is_usable_is_cleared(void **state)
{
	unsigned char *block = make(3 * MIB + 1);

	(void)state;
	memset(block, 0xff, vms_heap_usable_size(heap, block));
	drop(block);
	block = make_zero(3 * MIB + page());
	assert_zero(block, 3 * MIB + page());
	drop(block);
}

/* --- full tables, and sparse ones ----------------------------------------- */

static bool is_plain(const void *block)
{
	return slot_of(block)->small_pages;
}

static void sparse_tables_get_small_pages(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		unsigned char *block = make_zero(32 * MIB);

		assert_true(is_plain(block) == heap->huge_pages);
		block[5 * MIB] = 1;
		assert_in_range(resident(block, 32 * MIB), 1,
				is_plain(block) ? 64 * KIB : 2 * MIB);
		drop(block);
	}
}

/*
 * Each table gets the pages of the one before, and the number must not grow with
 * tables that are touched in other places.
 */
static void pages_of_sparse_tables_do_not_pile_up(void **state)
{
	const size_t stride = 16 * page();

	(void)state;
	for (size_t table = 0; table < 16; table++) {
		unsigned char *block = make_zero(16 * MIB);

		for (size_t at = table * page(); at < 16 * MIB; at += stride) {
			assert_zero(block + at - (table ? page() : 0), page());
			memset(block + at, 0xff, page());
		}
		/*
		 * An eighth, the pages touched anew, and zero pages that a read
		 * brought in.
		 */
		if (is_plain(block))
			assert_in_range(resident(block, 16 * MIB), MIB,
					4 * MIB);
		drop(block);
	}
}

static void full_tables_get_huge_pages(void **state)
{
	unsigned char *block;

	(void)state;
	for (int i = 0; i < 6; i++) {
		block = make_zero(32 * MIB);
		assert_zero(block, 32 * MIB);
		memset(block, 0xff, 32 * MIB);
		drop(block);
	}
	block = make_zero(32 * MIB);
	assert_false(is_plain(block));
	assert_zero(block, 32 * MIB);
	drop(block);
}

/* A sparse table stays sparse when it grows, in place or by a move. */
static void a_sparse_table_may_grow(void **state)
{
	unsigned char *block = make_zero(32 * MIB);

	(void)state;
	block[5 * MIB] = 7;
	block = resize(block, 40 * MIB);
	assert_true(is_plain(block) == heap->huge_pages);
	block = resize(block, 100 * MIB);
	assert_true(is_plain(block) == heap->huge_pages);
	assert_int_equal(block[5 * MIB], 7);
	drop(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(new_memory_is_zero),
		WITH_HEAP(used_memory_is_zero_again),
		WITH_HEAP(a_run_in_a_used_slot_gives_zeroes),
		WITH_HEAP(a_block_that_was_grown_out_leaves_zeroes),
		WITH_HEAP(a_move_into_used_memory_is_remembered),
		WITH_HEAP(growth_into_used_memory_is_remembered),
		WITH_HEAP(what_was_cut_off_is_zero_for_the_next),
		WITH_HEAP(all_that_is_usable_is_cleared),
		WITH_HEAP(sparse_tables_get_small_pages),
		WITH_HEAP(pages_of_sparse_tables_do_not_pile_up),
		WITH_HEAP(full_tables_get_huge_pages),
		WITH_HEAP(a_sparse_table_may_grow),
	};

	return cmocka_run_group_tests_name("heap_zero", tests, NULL, NULL);
}
