/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "heap_fixture.h"

/*
 * A block that grows into retained memory takes what it needs as its room; the
 * retained memory behind that is its surplus.
 */

/* The block's old place in a run is retained as well, until it is old. */
#define OLD_PLACE (MIB / 4)

/* Grow a block of 512 KiB into the retained memory of one of 60 MiB. */
static unsigned char *grow_into_large_memory(void)
{
	unsigned char *large = make_filled(60 * MIB);
	unsigned char *block = make_filled(MIB / 4);

	drop(large);
	block = resize(block, MIB / 2);
	assert_ptr_equal(block, large);
	assert_in_range(stats_now().retained, 56 * MIB,
			60 * MIB - MIB / 2 + OLD_PLACE);
	assert_true(stats_now().resident >= 60 * MIB);
	return block;
}

static void assert_no_surplus(const unsigned char *block, size_t size)
{
	assert_in_range(stats_now().retained, 0, OLD_PLACE);
	assert_in_range(stats_now().committed, size, size + 4 * MIB);
	assert_in_range(stats_now().resident, MIB / 4, size + 4 * MIB);
	assert_filled(block, MIB / 4);
}

/* --- the block ------------------------------------------------------------ */

static void it_is_grown_into_without_a_call(void **state)
{
	static const struct vmsi_host_calls none;
	const struct vmsi_host_calls real = vmsi_host;
	unsigned char *block = grow_into_large_memory();
	bool same = true;

	(void)state;
	vmsi_host = none;
	for (size_t size = MIB; size <= 60 * MIB; size += MIB / 4)
		same = same && vms_heap_realloc(heap, block, size) == block;
	vmsi_host = real;
	assert_true(same);
	assert_in_range(stats_now().retained, 0, OLD_PLACE);
	assert_int_equal(resident(block, 60 * MIB), 60 * MIB);
	assert_filled(block, MIB / 4);
	drop(block);
	assert_in_range(stats_now().retained, 60 * MIB,
			60 * MIB + OLD_PLACE);
}

static void what_is_more_is_committed(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	block = resize(block, 64 * MIB);
	fill(block, 64 * MIB);
	block = resize(block, 100 * MIB);
	assert_filled(block, 64 * MIB);
	assert_in_range(stats_now().retained, 0, OLD_PLACE);
	drop(block);
}

static void a_freed_block_leaves_all_of_it(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	drop(block);
	assert_in_range(stats_now().retained, 60 * MIB,
			60 * MIB + OLD_PLACE);
	assert_ptr_equal(make(50 * MIB), block);
	drop(block);
}

static void a_refused_growth_leaves_it(void **state)
{
	unsigned char *block = grow_into_large_memory();
	const size_t before = stats_now().retained;

	(void)state;
	assert_null(vms_heap_realloc(heap, block, SIZE_MAX / 4));
	/* The refused request may have taken all that runs retain. */
	assert_in_range(stats_now().retained, before - OLD_PLACE, before);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_no_surplus(block, MIB / 2);
	drop(block);
}

/* Shrinking a little keeps the surplus. */
static void only_a_block_that_shrinks_by_much_gives_it_back(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	block = resize(block, 20 * MIB);
	block = resize(block, 20 * MIB - 1000);
	assert_in_range(stats_now().retained, 30 * MIB, 40 * MIB);
	block = resize(block, 10 * MIB);
	assert_no_surplus(block, 10 * MIB);
	drop(block);
}

/* calloc clears retained memory before it hands it out. */
static void it_is_not_taken_for_zeroes(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	block = resize(block, 30 * MIB);
	drop(block);
	block = make_zero(60 * MIB);
	assert_zero(block, 60 * MIB);
	drop(block);
}

/* --- age ------------------------------------------------------------------ */

static void all_of_it_can_be_collected(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_no_surplus(block, MIB / 2);
	/* From then on the block grows as one without surplus. */
	block = resize(block, 40 * MIB);
	fill(block, 40 * MIB);
	block = resize(block, 10 * MIB);
	assert_filled(block, 10 * MIB);
	drop(block);
}

static void it_goes_back_by_age(void **state)
{
	unsigned char *block;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER, .give_back_after = 200 });
	block = grow_into_large_memory();
	look_at_ages();
	assert_true(stats_now().retained > 0);
	wait_milliseconds(300);
	look_at_ages();
	assert_no_surplus(block, MIB / 2);
	drop(block);
}

/* The age counts from the free, not from the last growth. */
static void growth_does_not_make_it_younger(void **state)
{
	unsigned char *block;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER, .give_back_after = 300 });
	block = grow_into_large_memory();
	wait_milliseconds(200);
	block = resize(block, 8 * MIB);
	wait_milliseconds(200);
	look_at_ages();
	assert_no_surplus(block, 8 * MIB);
	drop(block);
}

static void nor_do_blocks_that_come_and_go(void **state)
{
	unsigned char *block, *stays;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER, .give_back_after = 400 });
	/* While this run lives, no new run takes the retained slot. */
	stays = make(MIB / 4);
	block = grow_into_large_memory();
	for (unsigned i = 0; i < 8; i++) {
		drop(block);
		wait_milliseconds(100);
		look_at_ages();
		block = resize(make_filled(MIB / 4), MIB / 2);
	}
	assert_in_range(stats_now().retained, 0, 4 * MIB);
	drop(block);
	drop(stays);
}

static void before_that_the_host_may_take_it(void **state)
{
	unsigned char *block;

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = 10, .give_back_after = VMS_HEAP_NEVER });
	block = grow_into_large_memory();
	wait_milliseconds(50);
	look_at_ages();
	assert_true(slot_of(block)->retained.reclaimable);
	assert_in_range(stats_now().retained, 56 * MIB, 60 * MIB);
	block = resize(block, 60 * MIB);
	fill(block, 60 * MIB);
	assert_filled(block, 60 * MIB);
	drop(block);
	/*
	 * The block has taken the memory back, and offers it again when it is freed.
	 */
	assert_false(slot_of(block)->retained.reclaimable);
	wait_milliseconds(50);
	look_at_ages();
	assert_true(slot_of(block)->retained.reclaimable);
}

/* Only the part above the limit goes back, from the end of the surplus. */
static void its_end_goes_where_too_much_is_kept(void **state)
{
	unsigned char *block, *other;

	(void)state;
	open_heap_with((struct vms_heap_options){ .retain = 64 * MIB });
	other = make_filled(20 * MIB);
	block = grow_into_large_memory();
	assert_true(stats_now().retained + 20 * MIB > 64 * MIB);
	drop(other);
	assert_in_range(stats_now().retained, 60 * MIB, 64 * MIB);
	assert_ptr_equal(resize(block, 40 * MIB), block);
	assert_int_equal(resident(block, 40 * MIB), 40 * MIB);
	assert_filled(block, MIB / 4);
	drop(block);
}

/* --- a host that does not take it back ------------------------------------ */

static struct vmsi_host_calls real;

static long refuse_mmap(uintptr_t address, size_t length, int prot, int flags,
			int fd, uint64_t offset)
{
	if (prot == PROT_NONE)
		return -EINVAL;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static long refuse_protection(uintptr_t address, size_t length, int prot)
{
	return prot == PROT_NONE ? -EINVAL :
				   real.mprotect(address, length, prot);
}

static long refuse_advice(uintptr_t address, size_t length, int advice)
{
	return advice == MADV_DONTNEED ? -EINVAL :
					 real.madvise(address, length, advice);
}

static void collect_refused(bool pages_too)
{
	real = vmsi_host;
	vmsi_host.mmap = refuse_mmap;
	vmsi_host.mprotect = refuse_protection;
	if (pages_too)
		vmsi_host.madvise = refuse_advice;
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	vmsi_host = real;
}

static void it_stays_where_nothing_goes_back(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	collect_refused(true);
	assert_in_range(stats_now().retained, 56 * MIB, 60 * MIB);
	assert_ptr_equal(resize(block, 60 * MIB), block);
	assert_filled(block, MIB / 4);
	drop(block);
}

static void its_pages_go_where_their_charge_does_not(void **state)
{
	unsigned char *block = grow_into_large_memory();

	(void)state;
	collect_refused(false);
	assert_int_equal(stats_now().retained, 0);
	assert_true(stats_now().committed >= 60 * MIB);
	assert_in_range(stats_now().resident, MIB / 4, 4 * MIB);
	assert_ptr_equal(resize(block, 60 * MIB), block);
	fill(block, 60 * MIB);
	drop(block);
}

/* The kernel gives no locked memory back; the heap must give back the rest. */
static void what_is_stuck_does_not_keep_the_rest(void **state)
{
	unsigned char *blocks[8], *block, *large;

	(void)state;
	open_heap_with((struct vms_heap_options){ .retain = 32 * MIB });
	large = make_filled(10 * MIB);
	block = make_filled(MIB / 4);
	if (vms_mlock(vms_heap_space(heap), large, 10 * MIB))
		skip();
	drop(large);
	block = resize(block, MIB / 2);
	assert_ptr_equal(block, large);
	wait_milliseconds(20);
	for (unsigned i = 0; i < 8; i++)
		blocks[i] = make_filled(10 * MIB);
	for (unsigned i = 0; i < 8; i++)
		drop(blocks[i]);
	assert_in_range(stats_now().retained, 6 * MIB, 42 * MIB);
	wait_milliseconds(20);
	for (unsigned i = 0; i < 4; i++)
		(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_in_range(stats_now().retained, 6 * MIB, 10 * MIB);
	drop(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(it_is_grown_into_without_a_call),
		WITH_HEAP(what_is_more_is_committed),
		WITH_HEAP(a_refused_growth_leaves_it),
		WITH_HEAP(a_freed_block_leaves_all_of_it),
		WITH_HEAP(only_a_block_that_shrinks_by_much_gives_it_back),
		WITH_HEAP(it_is_not_taken_for_zeroes),
		WITH_HEAP(all_of_it_can_be_collected),
		WITH_HEAP(it_goes_back_by_age),
		WITH_HEAP(growth_does_not_make_it_younger),
		WITH_HEAP(nor_do_blocks_that_come_and_go),
		WITH_HEAP(before_that_the_host_may_take_it),
		WITH_HEAP(its_end_goes_where_too_much_is_kept),
		WITH_HEAP(it_stays_where_nothing_goes_back),
		WITH_HEAP(its_pages_go_where_their_charge_does_not),
		WITH_HEAP(what_is_stuck_does_not_keep_the_rest),
	};

	return cmocka_run_group_tests_name("heap_surplus", tests, NULL, NULL);
}
