/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "heap_fixture.h"

#include "growth/growth.h"

/*
 * Blocks that are touched here and there hold what they hold under the libc's
 * malloc; blocks that are filled, and those that grow, have huge pages.
 */

/* One byte in every so many. */
static void touch(unsigned char *block, size_t size, size_t stride)
{
	for (size_t i = stride / 2; i < size; i += stride)
		((volatile unsigned char *)block)[i] = 1;
}

/* What blocks hold by the libc's malloc under the policy of this host. */
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

/* A run's records of small pages and its last huge page may come on top. */
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

/* Blocks of runs, side by side. */
static void blocks_of_a_run_hold_what_is_touched(void **state)
{
	(void)state;
	assert_as_natively(200, MIB, MIB);
	open_heap_with((struct vms_heap_options){ 0 });
	assert_as_natively(1000, 100 * KIB, 100 * KIB);
}

/* Memory with huge pages that is left over does not make the next block dense. */
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
	/* It is seen while the first one lives, */
	second = make(64 * MIB);
	assert_true(is_huge(second));
	drop(second);
	drop(first);
	/* and when it is freed; its memory serves the next one. */
	second = make(32 * MIB);
	assert_ptr_equal(second, first);
	assert_true(is_huge(second));
	drop(second);
}

/* Of two that were seen, the later one tells of blocks of its size. */
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

/* The faults of memory that is advised to have huge pages and then filled. */
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

/* Only what it was before its first huge page is on small ones. */
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

	/* The libc's malloc is not to touch what it hands out. */
	mallopt(M_PERTURB, 0);
	return cmocka_run_group_tests_name("heap_sparse", tests, NULL, NULL);
}
