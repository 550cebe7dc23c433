/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "heap_fixture.h"

#include "growth/growth.h"

/*
 * A block that is touched in few places has no more pages than under libc's malloc;
 * a block that is filled, or that grows, has huge pages.
 */

/* Write one byte in each step. */
static void touch(unsigned char *block, size_t size, size_t stride)
{
	for (size_t i = stride / 2; i < size; i += stride)
		((volatile unsigned char *)block)[i] = 1;
}

/* Return what such blocks of libc's malloc have in memory. */
static size_t held_natively(size_t count, size_t size, size_t stride)
{
	unsigned char **blocks = calloc(count, sizeof(*blocks));
	size_t held = 0;

	assert_non_null(blocks);
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(size);
		assert_non_null(blocks[i]);
		touch(blocks[i], size, stride);
	}
	for (size_t i = 0; i < count; i++) {
		uintptr_t start = vmsi_align_down((uintptr_t)blocks[i], page());
		uintptr_t end = vmsi_align_down((uintptr_t)blocks[i] + size,
						page());

		held += resident((void *)start, end - start);
		free(blocks[i]);
	}
	free(blocks);
	return held;
}

static size_t held_here(size_t count, size_t size, size_t stride)
{
	for (size_t i = 0; i < count; i++)
		touch(make(size), size, stride);
	return stats_now().resident;
}

/* Records and the run's last huge page may come on top. */
static void assert_as_natively(size_t count, size_t size, size_t stride)
{
	size_t native = held_natively(count, size, stride);
	size_t here = held_here(count, size, stride);

	print_message("# %zu blocks of %zu KiB: %zu KiB, natively %zu KiB\n",
		      count, size / KIB, here / KIB, native / KIB);
	assert_true(here >= count * page());
	assert_true(here <= native + native / 4 + MIB);
}

static void a_large_block_holds_what_is_touched(void **state)
{
	(void)state;
	assert_as_natively(1, 256 * MIB, MIB);
}

static void a_block_of_huge_pages_size_holds_what_is_touched(void **state)
{
	(void)state;
	assert_as_natively(50, 4 * MIB, 4 * MIB);
}

/* Blocks of a run are side by side and could share huge pages. */
static void blocks_of_a_run_hold_what_is_touched(void **state)
{
	(void)state;
	assert_as_natively(200, MIB, MIB);
	open_heap_with((struct vms_heap_options){ 0 });
	assert_as_natively(1000, 100 * KIB, 100 * KIB);
}

/* Retained memory with huge pages must not make a sparse block dense. */
static void a_sparse_block_after_a_grown_one_stays_sparse(void **state)
{
	unsigned char *grown = resize(make_filled(MIB), 8 * MIB);
	size_t before;

	(void)state;
	fill(grown, 8 * MIB);
	drop(grown);
	before = stats_now().resident;
	touch(make(256 * MIB), 256 * MIB, MIB);
	if (!vmsi_growth_gives_unasked())
		assert_true(stats_now().resident <= before + 2 * MIB);
}

static bool is_huge(const void *block)
{
	return !slot_of(block)->small_pages;
}

static void a_program_that_fills_its_blocks_has_huge_pages(void **state)
{
	unsigned char *first = make_filled(32 * MIB), *second;

	(void)state;
	assert_true(is_huge(first) ==
		    (!heap->huge_pages || heap->huge_unasked));
	/* The heap sees that the first block is sparse while it lives ... */
	second = make(64 * MIB);
	assert_true(is_huge(second));
	drop(second);
	drop(first);
	/* ... and when it is freed, and gives its memory to the next one. */
	second = make(32 * MIB);
	assert_ptr_equal(second, first);
	assert_true(is_huge(second));
	drop(second);
}

/* The block that the heap saw last decides what it expects of the next. */
static void sparse_blocks_are_learned_from_too(void **state)
{
	unsigned char *sparse = make(64 * MIB), *full = make_filled(32 * MIB);
	unsigned char *next;

	(void)state;
	touch(sparse, 64 * MIB, MIB);
	drop(full);
	drop(sparse);
	next = make(100 * MIB);
	assert_true(is_huge(next) ==
		    (!heap->huge_pages || heap->huge_unasked));
	drop(next);
}

static void a_run_of_full_blocks_gets_huge_pages(void **state)
{
	unsigned char *block = NULL;

	(void)state;
	for (int i = 0; i < 20; i++)
		block = make_filled(300 * KIB);
	assert_true(is_huge(block));
}

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt;
}

/* Count the faults of filling memory that has MADV_HUGEPAGE. */
static long faults_of_advised(size_t size)
{
	unsigned char *memory = aligned_alloc(vmsi_huge_page_size(), size);
	long before;

	assert_non_null(memory);
	(void)madvise(memory, size, heap->huge_pages ? MADV_HUGEPAGE :
						       MADV_NOHUGEPAGE);
	before = faults();
	memset(memory, 1, size);
	before = faults() - before;
	free(memory);
	return before;
}

/* Only the part before the first huge page has small pages. */
static void what_grows_has_huge_pages(void **state)
{
	const long most = faults_of_advised(64 * MIB) +
		(long)(4 * MIB / page());
	unsigned char *block = make_filled(64 * KIB);
	long before = faults();

	(void)state;
	for (size_t size = 128 * KIB; size <= 64 * MIB; size += 64 * KIB) {
		block = resize(block, size);
		memset(block + size - 64 * KIB, 1, 64 * KIB);
	}
	assert_in_range(faults() - before, 1, most);
	assert_true(is_huge(block));
	drop(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(a_large_block_holds_what_is_touched),
		WITH_HEAP(a_block_of_huge_pages_size_holds_what_is_touched),
		WITH_HEAP(blocks_of_a_run_hold_what_is_touched),
		WITH_HEAP(a_sparse_block_after_a_grown_one_stays_sparse),
		WITH_HEAP(a_program_that_fills_its_blocks_has_huge_pages),
		WITH_HEAP(sparse_blocks_are_learned_from_too),
		WITH_HEAP(a_run_of_full_blocks_gets_huge_pages),
		WITH_HEAP(what_grows_has_huge_pages),
	};

	/* libc's malloc must not write to the blocks. */
	mallopt(M_PERTURB, 0);
	return cmocka_run_group_tests_name("heap_sparse", tests, NULL, NULL);
}
