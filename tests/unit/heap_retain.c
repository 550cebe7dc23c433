/* SPDX-License-Identifier: MIT */
#include "heap_fixture.h"

/* Which freed memory a heap retains, which block gets it, and when it goes back. */

static void freed_memory_is_used_again(void **state)
{
	static const size_t sizes[] = { 100 * KIB, 3 * MIB, 70 * MIB };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *block = make_filled(sizes[i]);
		size_t usable = vms_heap_usable_size(heap, block);

		drop(block);
		assert_in_range(stats_now().retained, sizes[i], usable);
		assert_ptr_equal(make(sizes[i]), block);
		assert_int_equal(stats_now().retained, 0);
		assert_true(resident(block, sizes[i]) >= sizes[i]);
		drop(block);
		(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	}
}

/* The smallest slot that is large enough, and at most twice as large, is taken. */
static void a_block_gets_what_fits_best(void **state)
{
	unsigned char *a = make_filled(4 * MIB), *b = make_filled(16 * MIB);
	unsigned char *c = make_filled(40 * MIB), *d;

	(void)state;
	drop(c);
	drop(a);
	drop(b);
	assert_ptr_equal(make(14 * MIB), b);
	assert_ptr_equal(make(3 * MIB), a);
	/* Only the slot of 40 MiB is left, which is too large. */
	d = make(8 * MIB);
	assert_ptr_not_equal(d, c);
	assert_ptr_equal(make(30 * MIB), c);
	drop(a);
	drop(b);
	drop(c);
	drop(d);
}

static void alignment_does_not_ask_for_more_memory(void **state)
{
	unsigned char *a = make_filled(2 * MIB), *b = make_filled(40 * MIB);
	unsigned char *c;

	(void)state;
	drop(a);
	drop(b);
	c = vms_heap_aligned_alloc(heap, 64 * MIB, 2 * MIB);
	assert_ptr_equal(c, a);
	drop(c);
}

static void a_block_that_grows_gets_the_most(void **state)
{
	unsigned char *a = make_filled(4 * MIB), *b = make_filled(16 * MIB);
	unsigned char *block = make_filled(MIB);

	(void)state;
	drop(a);
	drop(b);
	block = resize(block, MIB + 1);
	assert_ptr_equal(block, b);
	assert_filled(block, MIB);
	drop(block);
}

/* --- limits --------------------------------------------------------------- */

static void nothing_is_kept_where_nothing_may_be(void **state)
{
	static const size_t sizes[] = { 100, 100 * KIB, 3 * MIB, 70 * MIB };

	(void)state;
	open_heap_with((struct vms_heap_options){
		.retain = VMS_HEAP_RETAIN_NONE });
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		drop(make_filled(sizes[i]));
		assert_int_equal(stats_now().retained, 0);
		assert_int_equal(stats_now().resident, 0);
	}
	assert_true(stats_now().given_back >= 73 * MIB);
}

static void no_more_is_kept_than_may_be(void **state)
{
	unsigned char *blocks[8];

	(void)state;
	open_heap_with((struct vms_heap_options){ .retain = 16 * MIB });
	for (int i = 0; i < 8; i++)
		blocks[i] = make_filled(5 * MIB);
	for (int i = 0; i < 8; i++) {
		drop(blocks[i]);
		assert_in_range(stats_now().retained, 5 * MIB, 16 * MIB);
	}
	/* The heap gave the oldest slot back. */
	assert_int_equal(vmsi_slot_use(slot_of(blocks[0])), VMSI_SLOT_UNUSED);
	assert_int_equal(vmsi_slot_use(slot_of(blocks[7])), VMSI_SLOT_RETAINED);
	/* Of one larger than the limit, the heap retains as much as the limit. */
	drop(make_filled(60 * MIB));
	assert_int_equal(stats_now().retained, 16 * MIB);
	assert_in_range(stats_now().resident, 14 * MIB, 16 * MIB);
}

static void blocks_of_runs_count_too(void **state)
{
	unsigned char *blocks[64];

	(void)state;
	open_heap_with((struct vms_heap_options){ .retain = 4 * MIB });
	for (int i = 0; i < 64; i++)
		blocks[i] = make_filled(256 * KIB);
	for (int i = 0; i < 64; i++)
		drop(blocks[i]);
	assert_in_range(stats_now().retained, 3 * MIB, 4 * MIB);
	assert_in_range(stats_now().resident, 3 * MIB, 4 * MIB);
}

/* --- age ------------------------------------------------------------------ */

static void what_is_old_goes_back(void **state)
{
	unsigned char *live;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER,
		.give_back_after = VMS_HEAP_NEVER });
	live = make_filled(200 * KIB);
	drop(make_filled(200 * KIB));
	drop(make_filled(20 * MIB));
	look_at_ages();
	assert_true(stats_now().retained > 20 * MIB);
	/* The memory is old now, however long the test took to come here. */
	heap->ages.give_back_after = 1;
	wait_milliseconds(50);
	look_at_ages();
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(stats_now().given_back, 20 * MIB + 224 * KIB);
	assert_in_range(stats_now().resident, 200 * KIB, 2 * MIB);
	assert_filled(live, 200 * KIB);
	drop(live);
	wait_milliseconds(50);
	look_at_ages();
	/* Collecting gives an empty run back as well. */
	assert_int_equal(stats_now().committed, 0);
}

/* The heap has no thread of its own: calls of the program look at ages. */
static void calls_look_at_ages(void **state)
{
	unsigned char *a, *b = NULL;

	(void)state;
	open_heap_with((struct vms_heap_options){ .give_back_after = 10 });
	a = make(100);
	for (int i = 0; i < 4; i++) {
		drop(make_filled(20 * MIB));
		wait_milliseconds(120);
		if (i == 0)
			b = make(100);
		else if (i == 1)
			a = resize(a, 200);
		else if (i == 2)
			drop(b);
		else
			b = make_zero(100);
		assert_in_range(stats_now().retained, 0, MIB);
	}
	drop(a);
	drop(b);
}

static bool is_reclaimable(const void *block)
{
	return slot_of(block)->retained.reclaimable;
}

static void what_is_less_old_the_host_may_take(void **state)
{
	unsigned char *a, *b;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = 30, .give_back_after = VMS_HEAP_NEVER });
	a = make_filled(20 * MIB);
	b = make_filled(3 * MIB);
	drop(a);
	wait_milliseconds(60);
	drop(b);
	look_at_ages();
	assert_true(is_reclaimable(a));
	assert_false(is_reclaimable(b));
	/* What the kernel may take counts as retained and can be handed out. */
	assert_int_equal(stats_now().retained, 23 * MIB);
	assert_ptr_equal(make(20 * MIB), a);
	assert_false(is_reclaimable(a));
	fill(a, 20 * MIB);
	assert_filled(a, 20 * MIB);
	drop(a);
}

static void nothing_ages_where_that_is_off(void **state)
{
	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER,
		.give_back_after = VMS_HEAP_NEVER });
	drop(make_filled(20 * MIB));
	wait_milliseconds(20);
	heap->ages.oldest->freed_at = 1;
	look_at_ages();
	assert_int_equal(stats_now().retained, 20 * MIB);
	assert_int_equal(vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL),
			 20 * MIB);
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(stats_now().resident, 0);
	assert_int_equal(stats_now().committed, 0);
}

/* --- figures -------------------------------------------------------------- */

static void figures_are_those_of_the_blocks(void **state)
{
	unsigned char *a = make_filled(100), *b = make_filled(300 * KIB);
	unsigned char *c = make_filled(5 * MIB), *d = make(100 * MIB);
	struct vms_heap_stats stats = stats_now();

	(void)state;
	assert_int_equal(stats.blocks, 4);
	assert_int_equal(stats.allocations, 4);
	assert_int_equal(stats.live, 100 + 300 * KIB + 105 * MIB);
	assert_true(stats.committed >= stats.live);
	assert_true(stats.committed_peak >= stats.committed);
	assert_true(stats.resident >= 5 * MIB + 300 * KIB);
	assert_true(stats.resident < 20 * MIB);
	drop(a);
	drop(b);
	drop(c);
	drop(d);
	stats = stats_now();
	assert_int_equal(stats.blocks, 0);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.allocations, 4);
	assert_int_equal(stats.refusals, 0);
}

static void figures_are_refused_to_who_asks_wrongly(void **state)
{
	struct vms_heap_stats stats = { .struct_size = 8 };

	(void)state;
	errno = 0;
	assert_int_equal(vms_heap_get_stats(heap, &stats), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_heap_get_stats(heap, NULL), -1);
	stats.struct_size = sizeof(stats);
	assert_int_equal(vms_heap_get_stats(NULL, &stats), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(freed_memory_is_used_again),
		WITH_HEAP(a_block_gets_what_fits_best),
		WITH_HEAP(alignment_does_not_ask_for_more_memory),
		WITH_HEAP(a_block_that_grows_gets_the_most),
		WITH_HEAP(nothing_is_kept_where_nothing_may_be),
		WITH_HEAP(no_more_is_kept_than_may_be),
		WITH_HEAP(blocks_of_runs_count_too),
		WITH_HEAP(what_is_old_goes_back),
		WITH_HEAP(calls_look_at_ages),
		WITH_HEAP(what_is_less_old_the_host_may_take),
		WITH_HEAP(nothing_ages_where_that_is_off),
		WITH_HEAP(figures_are_those_of_the_blocks),
		WITH_HEAP(figures_are_refused_to_who_asks_wrongly),
	};

	return cmocka_run_group_tests_name("heap_retain", tests, NULL, NULL);
}
