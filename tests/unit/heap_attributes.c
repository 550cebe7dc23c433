/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "heap_fixture.h"

#include "heap/attributes.h"
#include "heap/marks.h"

/*
 * A program has changed the rights or advice of a block's memory, and the kernel
 * refuses to map it anew: the heap must not hand it out until that has worked.
 */

static long (*host_mmap)(uintptr_t address, size_t length, int prot, int flags,
			 int fd, uint64_t offset);
static long (*host_mprotect)(uintptr_t address, size_t length, int prot);
static bool refuse;

static long refusing_mmap(uintptr_t address, size_t length, int prot, int flags,
			  int fd, uint64_t offset)
{
	return refuse ? -ENOMEM :
		host_mmap(address, length, prot, flags, fd, offset);
}

static long refusing_mprotect(uintptr_t address, size_t length, int prot)
{
	return refuse ? -ENOMEM : host_mprotect(address, length, prot);
}

static int open_refusing(void **state)
{
	host_mmap = vmsi_host.mmap;
	host_mprotect = vmsi_host.mprotect;
	vmsi_host.mmap = refusing_mmap;
	vmsi_host.mprotect = refusing_mprotect;
	refuse = false;
	return open_heap(state);
}

static int close_refusing(void **state)
{
	refuse = false;
	vmsi_host.mmap = host_mmap;
	vmsi_host.mprotect = host_mprotect;
	return close_heap(state);
}

#define REFUSING(test) \
	cmocka_unit_test_setup_teardown(test, open_refusing, close_refusing)

static void make_read_only(unsigned char *block, size_t size)
{
	vmsi_heap_note_changed(heap, (uintptr_t)block, size);
	assert_int_equal(mprotect(block, size, PROT_READ), 0);
}

static void assert_writable(unsigned char *block, size_t size)
{
	for (size_t i = 0; i < size; i += page())
		*(volatile unsigned char *)(block + i) = 1;
}

/* Allocate all blocks that could come from the place; none may. */
static void assert_not_given(const unsigned char *place, size_t size)
{
	unsigned char *blocks[8];

	for (size_t i = 0; i < 8; i++) {
		blocks[i] = make(size);
		assert_ptr_not_equal(blocks[i], place);
		assert_writable(blocks[i], size);
	}
	for (size_t i = 0; i < 8; i++)
		drop(blocks[i]);
}

static void a_slot_that_is_not_mapped_anew_waits(void **state)
{
	unsigned char *block = make_filled(3 * MIB), *again = NULL;
	unsigned char *blocks[9];

	(void)state;
	make_read_only(block, 3 * MIB);
	refuse = true;
	drop(block);
	refuse = false;
	assert_not_given(block, 3 * MIB);
	assert_int_equal(stats_now().live, 0);
	/* The next collection maps the memory anew. */
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	for (size_t i = 0; i < 9; i++) {
		blocks[i] = make(3 * MIB);
		again = blocks[i] == block ? block : again;
	}
	assert_ptr_equal(again, block);
	assert_writable(block, 3 * MIB);
	for (size_t i = 0; i < 9; i++)
		drop(blocks[i]);
}

static void a_block_of_a_run_that_is_not_mapped_anew_is_lost(void **state)
{
	unsigned char *block = make_filled(200 * KIB);
	size_t live = stats_now().live;

	(void)state;
	make_read_only(block, 200 * KIB);
	refuse = true;
	drop(block);
	refuse = false;
	assert_int_equal(stats_now().live, live - 200 * KIB);
	assert_not_given(block, 200 * KIB);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_not_given(block, 200 * KIB);
}

/* The next block there has neither the rights nor the mark of the old one. */
static void changed_memory_is_mapped_anew(void **state)
{
	static const size_t sizes[] = { 64 * KIB, 200 * KIB, MIB, 3 * MIB,
					20 * MIB };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned char *block = make_filled(sizes[i]), *next;
		uint64_t given_back;

		make_read_only(block, page());
		drop(block);
		next = make(sizes[i]);
		assert_ptr_equal(next, block);
		assert_writable(next, sizes[i]);
		given_back = stats_now().given_back;
		drop(next);
		assert_int_equal(stats_now().given_back, given_back);
	}
}

/* A marked range may be longer than the block, or in no memory of the heap. */
static void marks_are_of_live_blocks_only(void **state)
{
	unsigned char *low = make_filled(3 * MIB), *high = make_filled(3 * MIB);
	unsigned char *freed = make_filled(5 * MIB);

	(void)state;
	drop(freed);
	vmsi_heap_note_changed(heap, 0, SIZE_MAX);
	assert_true(vmsi_slot_is_changed(slot_of(low)));
	assert_true(vmsi_slot_is_changed(slot_of(high)));
	assert_false(vmsi_slot_is_changed(slot_of(freed)));
	vmsi_heap_note_changed(heap, SIZE_MAX, 2);
	vmsi_heap_note_changed(heap, (uintptr_t)&heap, page());
	drop(low);
	drop(high);
}

/* The mark stays when the block grows in place, and when it moves. */
static void marks_go_with_the_block(void **state)
{
	unsigned char *block = make_filled(200 * KIB), *grown;
	size_t sizes[] = { 3 * MIB, 60 * MIB, 100 * MIB };

	(void)state;
	vmsi_heap_note_changed(heap, (uintptr_t)block, 200 * KIB);
	assert_int_equal(madvise(block, 200 * KIB, MADV_DONTDUMP), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		grown = resize(block, sizes[i]);
		assert_filled(grown, 200 * KIB);
		assert_true(vmsi_slot_is_changed(slot_of(grown)));
		if (grown != block)
			assert_false(vmsi_slot_is_changed(slot_of(block)));
		block = grown;
	}
	drop(block);
	assert_int_equal(stats_now().live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REFUSING(a_slot_that_is_not_mapped_anew_waits),
		REFUSING(a_block_of_a_run_that_is_not_mapped_anew_is_lost),
		WITH_HEAP(changed_memory_is_mapped_anew),
		WITH_HEAP(marks_are_of_live_blocks_only),
		WITH_HEAP(marks_go_with_the_block),
	};

	return cmocka_run_group_tests_name("heap_attributes", tests, NULL, NULL);
}
