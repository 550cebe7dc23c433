/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "heap_fixture.h"

/*
 * Free blocks in a run that is in use give their memory and charge back, and get
 * both again when they are handed out. Such a block is called a hole in the run.
 */

#define BLOCKS_MOST 400

static unsigned char *blocks[BLOCKS_MOST];

static size_t committed(void)
{
	return stats_now().committed;
}

static void open_heap_that_keeps_nothing(void)
{
	open_heap_with((struct vms_heap_options){
		.retain = VMS_HEAP_RETAIN_NONE });
}

static void make_blocks(unsigned count, size_t size)
{
	for (unsigned i = 0; i < count; i++)
		blocks[i] = make_filled(size);
}

/* Free all blocks but each keep-th, in an order that leaves holes apart. */
static void drop_but_every(unsigned count, unsigned keep)
{
	for (unsigned k = 0; k < count; k++) {
		const unsigned i = k * 7 % count;

		if (i % keep == 0)
			continue;
		drop(blocks[i]);
		blocks[i] = NULL;
	}
}

static void drop_all(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		drop(blocks[i]);
		blocks[i] = NULL;
	}
}

static size_t host_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t lines = 0;
	int byte;

	assert_non_null(maps);
	while ((byte = fgetc(maps)) != EOF)
		lines += byte == '\n';
	(void)fclose(maps);
	return lines;
}

static void assert_sound(void)
{
	assert_null(vmsi_heap_check(heap));
	assert_null(vmsi_heap_check_charge(heap));
}

/* --- charge --------------------------------------------------------------- */

static void freed_blocks_are_not_charged(void **state)
{
	static const size_t sizes[] = { 700, 4 * KIB, 20 * KIB, 64 * KIB,
					300 * KIB, MIB };
	static const unsigned keeps[] = { 2, 3, 10 };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		for (size_t j = 0; j < 3; j++) {
			const unsigned count = 100;
			size_t step, before, kept;

			open_heap_that_keeps_nothing();
			make_blocks(count, sizes[i]);
			step = (size_t)(blocks[1] - blocks[0]);
			before = committed();
			drop_but_every(count, keeps[j]);
			kept = (count + keeps[j] - 1) / keeps[j];
			assert_int_equal(committed(),
					 before - (count - kept) * step);
			assert_int_equal(stats_now().retained, 0);
			assert_sound();
			/* Collecting all gives back what is committed ahead, too. */
			(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
			assert_int_equal(committed(), kept * step);
			for (unsigned k = 0; k < count; k += keeps[j])
				assert_filled(blocks[k], sizes[i]);
			assert_sound();
			drop_all(count);
			assert_int_equal(committed(), 0);
		}
	}
}

static void the_last_block_takes_its_run_along(void **state)
{
	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(3, 100 * KIB);
	drop_all(3);
	assert_int_equal(committed(), 0);
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(stats_now().given_back, 3 * 112 * KIB);
	assert_int_equal(vmsi_slot_use(heap->layout.classes[0].slots),
			 VMSI_SLOT_UNUSED);
}

static void a_block_that_moves_out_leaves_no_charge(void **state)
{
	size_t before;

	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(4, 256 * KIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	before = committed();
	assert_int_equal(before, MIB);
	blocks[1] = resize(blocks[1], 2 * MIB);
	assert_filled(blocks[1], 256 * KIB);
	assert_int_equal(heap->runs.holes, 1);
	assert_sound();
	drop(blocks[1]);
	blocks[1] = NULL;
	assert_int_equal(committed(), before - 256 * KIB);
	drop_all(4);
}

static void what_is_kept_goes_by_age(void **state)
{
	size_t before;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER, .give_back_after = 20 });
	make_blocks(40, 256 * KIB);
	before = committed();
	drop_but_every(40, 2);
	/* On a slow machine some memory may have come of age already. */
	assert_int_equal(before - committed() + stats_now().retained,
			 20 * 256 * KIB);
	wait_milliseconds(40);
	look_at_ages();
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(committed(), before - 20 * 256 * KIB);
	assert_int_equal(stats_now().given_back, 20 * 256 * KIB);
	assert_sound();
	drop_all(40);
}

/* --- handing out ---------------------------------------------------------- */

static void a_hole_is_committed_again_and_zero(void **state)
{
	size_t before;

	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(40, 200 * KIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	before = committed();
	drop_but_every(40, 4);
	/* The run hands its holes out from the lowest address on, all of them. */
	for (unsigned i = 0; i < 40; i++) {
		if (i % 4 == 0)
			continue;
		blocks[i] = make_zero(200 * KIB);
		assert_ptr_equal(blocks[i], blocks[0] + i * 224 * KIB);
		assert_zero(blocks[i], 200 * KIB);
		fill(blocks[i], 200 * KIB);
		assert_sound();
	}
	assert_int_equal(heap->runs.holes, 0);
	assert_int_equal(committed(), before);
	for (unsigned i = 0; i < 40; i++)
		assert_filled(blocks[i], 200 * KIB);
	drop_all(40);
}

static void memory_is_handed_out_before_holes(void **state)
{
	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER,
		.give_back_after = VMS_HEAP_NEVER });
	make_blocks(20, 256 * KIB);
	drop(blocks[3]);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(heap->runs.holes, 1);
	drop(blocks[9]);
	assert_ptr_equal(make(256 * KIB), blocks[9]);
	assert_ptr_equal(make(256 * KIB), blocks[3]);
	assert_int_equal(heap->runs.holes, 0);
	drop_all(20);
}

static long refuse_mprotect(uintptr_t start, size_t length, int prot)
{
	(void)start;
	(void)length;
	(void)prot;
	return -ENOMEM;
}

static void a_refused_commit_leaves_the_hole(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	size_t before;

	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(10, 256 * KIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	drop_but_every(10, 2);
	before = committed();
	vmsi_host.mprotect = refuse_mprotect;
	assert_no_memory(vms_heap_malloc(heap, 256 * KIB));
	assert_no_memory(vms_heap_calloc(heap, 1, 256 * KIB));
	vmsi_host = real;
	assert_int_equal(committed(), before);
	assert_int_equal(heap->runs.holes, 5);
	assert_int_equal(stats_now().blocks, 5);
	assert_sound();
	assert_ptr_equal(make(256 * KIB), blocks[0] + 256 * KIB);
	drop_all(10);
}

static void a_refused_commit_ahead_leaves_nothing_begun(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	size_t before;

	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(4, MIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	before = committed();
	vmsi_host.mprotect = refuse_mprotect;
	assert_no_memory(vms_heap_malloc(heap, MIB));
	vmsi_host = real;
	assert_int_equal(committed(), before);
	assert_int_equal(slot_of(blocks[0])->run->begun, 4);
	assert_sound();
	drop_all(4);
}

/* --- the mappings of the host --------------------------------------------- */

static void neighbours_are_one_hole(void **state)
{
	size_t before;

	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(60, 256 * KIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	before = host_mappings();
	for (unsigned i = 10; i < 40; i += 2)
		drop(blocks[i]);
	assert_int_equal(heap->runs.holes, 15);
	for (unsigned i = 11; i < 40; i += 2)
		drop(blocks[i]);
	assert_int_equal(heap->runs.holes, 1);
	assert_in_range(host_mappings(), before, before + 2);
	for (unsigned i = 10; i < 40; i++)
		blocks[i] = make_filled(256 * KIB);
	assert_int_equal(heap->runs.holes, 0);
	assert_in_range(host_mappings(), before - 2, before);
	drop_all(60);
}

/* Past the bound on holes, a block's pages go and its charge stays. */
static void holes_are_bounded(void **state)
{
	size_t before, maps;

	(void)state;
	open_heap_that_keeps_nothing();
	assert_true(heap->runs.holes_most > 1000);
	heap->runs.holes_most = 10;
	make_blocks(60, 256 * KIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	before = committed();
	maps = host_mappings();
	for (unsigned i = 1; i < 60; i += 2)
		drop(blocks[i]);
	assert_int_equal(heap->runs.holes, 10);
	assert_in_range(host_mappings(), maps, maps + 20);
	assert_int_equal(committed(), before - 10 * 256 * KIB);
	assert_int_equal(stats_now().retained, 20 * 256 * KIB);
	assert_in_range(stats_now().resident, 0, 30 * 256 * KIB);
	assert_sound();
	for (unsigned i = 0; i < 58; i += 2)
		drop(blocks[i]);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(committed(), 256 * KIB);
	assert_int_equal(stats_now().retained, 0);
	assert_filled(blocks[58], 256 * KIB);
	assert_sound();
	drop(blocks[58]);
}

/*
 * The kernel refuses to give back locked memory, so the freed block stays charged.
 */
static void what_the_host_keeps_stays_free(void **state)
{
	size_t before;

	(void)state;
	open_heap_that_keeps_nothing();
	make_blocks(4, 64 * KIB);
	if (vms_mlock(vms_heap_space(heap), blocks[1], 64 * KIB)) {
		print_message("locking is refused here: errno %d\n", errno);
		skip();
	}
	before = committed();
	drop(blocks[1]);
	assert_int_equal(committed(), before);
	assert_int_equal(stats_now().retained, 64 * KIB);
	assert_ptr_equal(make_zero(64 * KIB), blocks[1]);
	assert_zero(blocks[1], 64 * KIB);
	assert_int_equal(vms_munlock(vms_heap_space(heap), blocks[1], 64 * KIB),
			 0);
	drop_all(4);
	assert_int_equal(committed(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(freed_blocks_are_not_charged),
		WITH_HEAP(the_last_block_takes_its_run_along),
		WITH_HEAP(a_block_that_moves_out_leaves_no_charge),
		WITH_HEAP(what_is_kept_goes_by_age),
		WITH_HEAP(a_hole_is_committed_again_and_zero),
		WITH_HEAP(memory_is_handed_out_before_holes),
		WITH_HEAP(a_refused_commit_leaves_the_hole),
		WITH_HEAP(a_refused_commit_ahead_leaves_nothing_begun),
		WITH_HEAP(neighbours_are_one_hole),
		WITH_HEAP(holes_are_bounded),
		WITH_HEAP(what_the_host_keeps_stays_free),
	};

	return cmocka_run_group_tests_name("heap_holes", tests, NULL, NULL);
}
