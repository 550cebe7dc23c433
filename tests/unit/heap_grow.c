/* SPDX-License-Identifier: MIT */
#include "heap_fixture.h"

/* realloc grows blocks in place or by a move, and shrinks them. */

static void a_block_grows_where_it_is(void **state)
{
	unsigned char *block = make_filled(2 * MIB), *before = block;

	(void)state;
	for (size_t size = 2 * MIB; size <= 64 * MIB; size += MIB) {
		block = resize(block, size);
		assert_ptr_equal(block, before);
		block[size - 1] = 1;
	}
	assert_filled(block, 2 * MIB - 4096);
	assert_int_equal(stats_now().moves, 0);
	assert_int_equal(stats_now().grown_in_place, 62);
	drop(block);
	assert_int_equal(stats_now().grown_in_place, 62);
}

/* Growth within the committed room makes no system call. */
static void most_growth_asks_nobody(void **state)
{
	static const struct vmsi_host_calls none;
	struct vmsi_host_calls real = vmsi_host;
	unsigned char *block = resize(make(2 * MIB), 16 * MIB);
	size_t room = vmsi_get(&slot_of(block)->room);

	(void)state;
	assert_true(room > 16 * MIB);
	vmsi_host = none;
	block = vms_heap_realloc(heap, block, 16 * MIB + 1);
	block = vms_heap_realloc(heap, block, room);
	vmsi_host = real;
	assert_non_null(block);
	block[room - 1] = 1;
	drop(block);
}

static void a_block_that_outgrows_its_run_moves(void **state)
{
	static const size_t sizes[] = { 1, 65536, 65537, 300 * KIB, MIB };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *block = make(sizes[i]), *grown;
		size_t usable = vms_heap_usable_size(heap, block);

		fill(block, usable);
		grown = resize(block, 2 * MIB);
		assert_ptr_not_equal(grown, block);
		assert_filled(grown, usable);
		assert_int_equal(stats_now().moves, i + 1);
		memset(grown + usable, 1, 2 * MIB - usable);
		drop(grown);
	}
	assert_int_equal(stats_now().live, 0);
}

static void a_block_changes_within_its_class(void **state)
{
	unsigned char *block = make_filled(400 * KIB), *before = block;

	(void)state;
	block = resize(block, 440 * KIB);
	assert_ptr_equal(block, before);
	block = resize(block, 100);
	assert_ptr_equal(block, before);
	assert_int_equal(stats_now().live, 100);
	assert_filled(block, 100);
	/* A block that shrinks gives the memory behind it back to the kernel. */
	assert_in_range(resident(block, 440 * KIB), 0, 64 * KIB);
	block = resize(block, 400 * KIB);
	assert_ptr_equal(block, before);
	assert_filled(block, 100);
	drop(block);
}

/* Grow from a slot of 64 MiB to one of 16 GiB. */
static void a_block_that_outgrows_its_slot_moves(void **state)
{
	unsigned char *block = make_filled(60 * MIB), *before = block;
	const size_t large = vmsi_slot_capacity(&heap->layout.classes[1]);
	struct vms_heap_stats stats;

	(void)state;
	block = resize(block, 64 * MIB + 1);
	assert_ptr_not_equal(block, before);
	assert_int_equal((uintptr_t)block % large, 0);
	assert_filled(block, 60 * MIB);
	block[64 * MIB] = 1;
	stats = stats_now();
	assert_int_equal(stats.moves, 1);
	assert_in_range(stats.moved_bytes, 60 * MIB, 64 * MIB);
	assert_int_equal(stats.live, 64 * MIB + 1);
	assert_int_equal(stats.blocks, 1);
	/* The old slot is unused again, and its memory reads as zeroes. */
	assert_int_equal(vmsi_slot_use(slot_of(before)), VMSI_SLOT_UNUSED);
	before = make_zero(2 * MIB);
	assert_zero(before, 2 * MIB);
	drop(before);
	drop(block);
}

/*
 * Grow from a slot of 16 GiB to one of 1 TiB without writing, in steps, since the
 * kernel refuses a single request for more than the machine has.
 */
static void a_block_may_have_more_than_16_gib(void **state)
{
	unsigned char *block = make(65 * MIB), *before = block;
	unsigned char *grown = block;
	size_t size = GIB;

	(void)state;
	block[0] = 5;
	for (; grown && size <= 20 * GIB; size += GIB) {
		grown = vms_heap_realloc(heap, block, size);
		if (grown)
			block = grown;
	}
	assert_int_equal(block[0], 5);
	if (!grown) {
		assert_int_equal(errno, ENOMEM);
		drop(block);
		print_message("# SKIP no commit for %zu GiB\n", size / GIB);
		return;
	}
	assert_ptr_not_equal(block, before);
	assert_int_equal((uintptr_t)block % (64 * GIB), 0);
	block[20 * GIB - 1] = 6;
	block = resize(block, 3 * MIB);
	assert_int_equal(block[0], 5);
	assert_in_range(stats_now().committed, 3 * MIB, 8 * MIB);
	assert_in_range(stats_now().resident, 1, 8 * MIB);
	drop(block);
}

/* --- shrinking ------------------------------------------------------------ */

static void much_less_goes_back(void **state)
{
	unsigned char *block = make_filled(32 * MIB), *before = block;

	(void)state;
	block = resize(block, 8 * MIB);
	assert_ptr_equal(block, before);
	assert_in_range(stats_now().committed, 8 * MIB, 12 * MIB);
	assert_in_range(stats_now().resident, 8 * MIB, 12 * MIB);
	assert_filled(block, 8 * MIB);
	block = resize(block, 32 * MIB);
	assert_ptr_equal(block, before);
	assert_filled(block, 8 * MIB);
	assert_zero(block + 8 * MIB, 24 * MIB);
	drop(block);
}

static void little_less_is_kept(void **state)
{
	unsigned char *block = make_filled(32 * MIB);
	size_t committed = stats_now().committed;

	(void)state;
	block = resize(block, 32 * MIB - 1);
	block = resize(block, 28 * MIB);
	assert_int_equal(stats_now().committed, committed);
	assert_int_equal(stats_now().live, 28 * MIB);
	drop(block);
}

static void many_times_little_less_goes_back(void **state)
{
	unsigned char *block = make_filled(32 * MIB);

	(void)state;
	for (size_t size = 32 * MIB; size > 2 * MIB; size -= size / 8)
		block = resize(block, size);
	assert_in_range(stats_now().resident, MIB, 6 * MIB);
	drop(block);
}

/* --- errno ---------------------------------------------------------------- */

static void what_succeeds_leaves_errno(void **state)
{
	static const size_t sizes[] = { 100, 5 * MIB, 100 * MIB };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *block;

		errno = ERRNO_BEFORE;
		block = make_filled(sizes[i]);
		block = resize(block, 2 * sizes[i]);
		block = resize(block, sizes[i]);
		(void)vms_heap_usable_size(heap, block);
		drop(block);
		drop(make_zero(sizes[i]));
		drop(vms_heap_aligned_alloc(heap, MIB, sizes[i]));
		(void)stats_now();
		(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
		assert_int_equal(errno, ERRNO_BEFORE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(a_block_grows_where_it_is),
		WITH_HEAP(most_growth_asks_nobody),
		WITH_HEAP(a_block_that_outgrows_its_run_moves),
		WITH_HEAP(a_block_changes_within_its_class),
		WITH_HEAP(a_block_that_outgrows_its_slot_moves),
		WITH_HEAP(a_block_may_have_more_than_16_gib),
		WITH_HEAP(much_less_goes_back),
		WITH_HEAP(little_less_is_kept),
		WITH_HEAP(many_times_little_less_goes_back),
		WITH_HEAP(what_succeeds_leaves_errno),
	};

	return cmocka_run_group_tests_name("heap_grow", tests, NULL, NULL);
}
