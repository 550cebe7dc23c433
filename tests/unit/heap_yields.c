/* SPDX-License-Identifier: MIT */
#include "heap_yields.h"

/*
 * What heaps retain of freed memory goes back before a budget refuses a request,
 * whoever asks.
 */

/* --- a budget refuses: who asks ------------------------------------------- */

/* After this, no request of the tests below fits without the retained memory. */
static void retain_most(void)
{
	retain(heap, 48 * MIB);
	errno = ERRNO_BEFORE;
}

static void expect_given_back(void)
{
	assert_int_equal(errno, ERRNO_BEFORE);
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(refusals_of(budget), 0);
}

static void a_mapping_gets_it(void **state)
{
	vms_space *space = open_space_under(budget);

	(void)state;
	retain_most();
	assert_true(vms_mmap(space, NULL, 40 * MIB, RW, ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	expect_given_back();
	assert_int_equal(vms_space_close(space), 0);
}

static void a_change_of_rights_gets_it(void **state)
{
	vms_space *space = open_space_under(budget);
	void *memory = vms_mmap(space, NULL, 40 * MIB, PROT_NONE, ANONYMOUS, -1,
				0);

	(void)state;
	assert_true(memory != MAP_FAILED);
	retain_most();
	assert_int_equal(vms_mprotect(space, memory, 40 * MIB, RW), 0);
	expect_given_back();
	assert_int_equal(vms_space_close(space), 0);
}

static void a_mapping_that_grows_gets_it(void **state)
{
	vms_space *space = open_space_under(budget);
	void *memory = vms_mmap(space, NULL, MIB, RW, ANONYMOUS, -1, 0);

	(void)state;
	assert_true(memory != MAP_FAILED);
	retain_most();
	assert_true(vms_mremap(space, memory, MIB, 40 * MIB, MREMAP_MAYMOVE,
			       NULL) != MAP_FAILED);
	expect_given_back();
	assert_int_equal(vms_space_close(space), 0);
}

static void a_handle_that_grows_gets_it(void **state)
{
	vms_space *space = open_space_under(budget);
	void *memory = vms_mmap(space, NULL, MIB, RW, ANONYMOUS, -1, 0);
	vms_handle handle;

	(void)state;
	assert_true(memory != MAP_FAILED);
	assert_int_equal(vms_handle_open(space, memory, MIB, &handle), 0);
	retain_most();
	assert_int_equal(vms_handle_resize(space, handle, 40 * MIB), 0);
	expect_given_back();
	assert_int_equal(vms_space_close(space), 0);
}

static void expect_buffer_gets_it(size_t maximum,
				  const struct vms_buffer_options *options)
{
	vms_buffer buffer;

	assert_int_equal(vms_buffer_init(&buffer, maximum, options), 0);
	retain_most();
	assert_int_equal(vms_buffer_resize(&buffer, 40 * MIB), 0);
	expect_given_back();
	assert_int_equal(vms_buffer_free(&buffer), 0);
}

static void a_buffer_gets_it(void **state)
{
	struct vms_buffer_options options = { .struct_size = sizeof(options) };

	(void)state;
	options.budget = budget;
	expect_buffer_gets_it(GIB, &options);
	options.budget = NULL;
	options.space = open_space_under(budget);
	expect_buffer_gets_it(0, &options);
	assert_int_equal(vms_space_close(options.space), 0);
}

static void a_charge_by_hand_gets_it(void **state)
{
	(void)state;
	retain_most();
	assert_int_equal(vms_budget_charge(budget, 60 * MIB), 0);
	expect_given_back();
	assert_int_equal(vms_budget_uncharge(budget, 60 * MIB), 0);
}

/* The heap that retains memory asks for blocks of each size, and another one. */
static void a_block_gets_it(void **state)
{
	static const size_t sizes[] = {
		1000, 100 * KIB, MIB, MIB + 1, 9 * MIB, 55 * MIB
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		const size_t size = sizes[i / 2];
		vms_heap *asked = i & 1 ? open_heap_under(budget) : heap;
		const size_t step = vmsi_max(size, 64 * KIB);

		retain_most();
		for (size_t sum = step; sum <= 55 * MIB; sum += step)
			assert_non_null(vms_heap_malloc(asked, size));
		assert_int_equal(errno, ERRNO_BEFORE);
		assert_int_equal(refusals_of(budget), 0);
		vms_heap_close(asked);
		if (asked == heap)
			heap = open_heap_under(budget);
	}
}

static void a_block_that_grows_gets_it(void **state)
{
	vms_heap *other = open_heap_under(budget);
	unsigned char *small = vms_heap_malloc(other, 100 * KIB);
	unsigned char *large = vms_heap_malloc(other, 3 * MIB);

	(void)state;
	assert_non_null(small);
	assert_non_null(large);
	fill(small, 100 * KIB);
	retain_most();
	small = vms_heap_realloc(other, small, 25 * MIB);
	assert_non_null(small);
	assert_filled(small, 100 * KIB);
	expect_given_back();
	assert_non_null(vms_heap_realloc(other, large, 25 * MIB));
	assert_int_equal(refusals_of(budget), 0);
	vms_heap_close(other);
}

static void zeroes_and_aligned_blocks_get_it(void **state)
{
	vms_heap *other = open_heap_under(budget);
	void *block;

	(void)state;
	retain_most();
	block = vms_heap_calloc(other, 40, MIB);
	assert_non_null(block);
	expect_given_back();
	vms_heap_close(other);
	other = open_heap_under(budget);
	retain_most();
	assert_non_null(vms_heap_aligned_alloc(other, 2 * MIB, 40 * MIB));
	expect_given_back();
	vms_heap_close(other);
}

/* --- which budget refuses, and whose memory goes -------------------------- */

static void it_counts_whose_budget_refuses(void **state)
{
	vms_budget *low = open_budget(LIMIT / 2, budget, 0);
	vms_budget *beside = open_budget(LIMIT, budget, 0);
	vms_budget *apart = open_budget(LIMIT, NULL, 0);
	vms_heap *under_low = open_heap_under(low);
	vms_heap *under_beside = open_heap_under(beside);
	vms_heap *under_apart = open_heap_under(apart);
	vms_space *space = open_space_under(low);

	(void)state;
	retain(under_low, 20 * MIB);
	retain(under_beside, 20 * MIB);
	retain(under_apart, 20 * MIB);
	/*
	 * A refusal by the lower budget does not take memory of the heap beside it.
	 */
	assert_true(vms_mmap(space, NULL, 30 * MIB, RW, ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	assert_int_equal(retained_by(under_low), 0);
	assert_true(retained_by(under_beside) >= 20 * MIB);
	/* One by the upper budget does, but not of a heap that is not under it. */
	assert_int_equal(vms_budget_charge(budget, 30 * MIB), 0);
	assert_int_equal(retained_by(under_beside), 0);
	assert_true(retained_by(under_apart) >= 20 * MIB);
	assert_int_equal(refusals_of(budget), 0);
	assert_int_equal(refusals_of(low), 0);
	assert_int_equal(vms_space_close(space), 0);
	vms_heap_close(under_low);
	vms_heap_close(under_beside);
	vms_heap_close(under_apart);
	assert_int_equal(vms_budget_uncharge(budget, 30 * MIB), 0);
	assert_int_equal(vms_budget_close(low), 0);
	assert_int_equal(vms_budget_close(beside), 0);
	assert_int_equal(vms_budget_close(apart), 0);
}

static void a_shared_budget_gets_it(void **state)
{
	vms_budget *shared = open_budget(LIMIT, NULL, VMS_BUDGET_SHARED);
	vms_heap *other = open_heap_under(shared);
	vms_space *space = open_space_under(shared);

	(void)state;
	retain(other, 48 * MIB);
	assert_true(vms_mmap(space, NULL, 40 * MIB, RW, ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	assert_int_equal(retained_by(other), 0);
	assert_int_equal(refusals_of(shared), 0);
	assert_int_equal(vms_space_close(space), 0);
	vms_heap_close(other);
	assert_int_equal(vms_budget_close(shared), 0);
}

/* A request that stays refused is counted once, with its reason. */
static void a_refusal_is_one(void **state)
{
	vms_space *space = open_space_under(budget);

	(void)state;
	retain_most();
	assert_ptr_equal(vms_mmap(space, NULL, 70 * MIB, RW, ANONYMOUS, -1, 0),
			 MAP_FAILED);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(refusals_of(budget), 1);
	assert_no_memory(vms_heap_malloc(heap, 70 * MIB));
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(refusals_of(budget), 2);
	assert_int_equal(stats_now().refusals, 1);
	assert_int_equal(vms_space_close(space), 0);
}

/* No slot is as large as the request, so giving memory back cannot help. */
static void what_can_never_be_had_takes_nothing(void **state)
{
	(void)state;
	retain_most();
	assert_no_memory(vms_heap_malloc(heap, 100 * TIB));
	assert_no_memory(vms_heap_calloc(heap, 4, SIZE_MAX / 4));
	assert_true(stats_now().retained >= 48 * MIB);
}

/* --- callbacks ------------------------------------------------------------ */

#define CACHED (2 * LIMIT / (64 * KIB))

static struct {
	unsigned char *blocks[CACHED];
	size_t first, end, size;
	unsigned calls;
} cache;

/* Free blocks of the heap that asked; also allocate and free one in between. */
static bool evict(vms_budget *asked, size_t bytes, unsigned attempt,
		  void *context)
{
	const size_t before = cache.first;
	size_t freed = 0;
	void *block;

	(void)asked;
	(void)attempt;
	(void)context;
	cache.calls++;
	for (; freed < bytes && cache.first < cache.end; cache.first++) {
		freed += vms_heap_usable_size(heap, cache.blocks[cache.first]);
		drop(cache.blocks[cache.first]);
	}
	block = vms_heap_malloc(heap, cache.size);
	vms_heap_free(heap, block);
	return cache.first > before;
}

static void the_callbacks_blocks_serve_the_request(void **state)
{
	static const size_t sizes[] = {
		64 * KIB, 300 * KIB, MIB, MIB + 1, 9 * MIB, 30 * MIB
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(&cache, 0, sizeof(cache));
		cache.size = sizes[i];
		assert_int_equal(vms_budget_set_callback(budget, evict, NULL),
				 0);
		/* Allocate twice as many blocks as fit under the limit. */
		while (cache.end < 2 * LIMIT / cache.size) {
			unsigned char *block = make(cache.size);

			*block = 1;
			cache.blocks[cache.end++] = block;
		}
		assert_true(cache.calls > 0);
		assert_int_equal(refusals_of(budget), 0);
		while (cache.first < cache.end)
			drop(cache.blocks[cache.first++]);
		(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	}
}

static bool count_call(vms_budget *asked, size_t bytes, unsigned attempt,
		       void *context)
{
	(void)asked;
	(void)bytes;
	(void)attempt;
	++*(unsigned *)context;
	return false;
}

/* The budget calls back only when retained memory does not suffice. */
static void retained_memory_goes_before_a_callback_is_asked(void **state)
{
	unsigned calls = 0;

	(void)state;
	assert_int_equal(vms_budget_set_callback(budget, count_call, &calls),
			 0);
	retain_most();
	assert_int_equal(vms_budget_charge(budget, 60 * MIB), 0);
	assert_int_equal(calls, 0);
	assert_int_equal(vms_budget_charge(budget, 60 * MIB), -1);
	assert_int_equal(calls, 1);
	assert_int_equal(vms_budget_uncharge(budget, 60 * MIB), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BUDGET(a_mapping_gets_it),
		WITH_BUDGET(a_change_of_rights_gets_it),
		WITH_BUDGET(a_mapping_that_grows_gets_it),
		WITH_BUDGET(a_handle_that_grows_gets_it),
		WITH_BUDGET(a_buffer_gets_it),
		WITH_BUDGET(a_charge_by_hand_gets_it),
		WITH_BUDGET(a_block_gets_it),
		WITH_BUDGET(a_block_that_grows_gets_it),
		WITH_BUDGET(zeroes_and_aligned_blocks_get_it),
		WITH_BUDGET(it_counts_whose_budget_refuses),
		WITH_BUDGET(a_shared_budget_gets_it),
		WITH_BUDGET(a_refusal_is_one),
		WITH_BUDGET(what_can_never_be_had_takes_nothing),
		WITH_BUDGET(the_callbacks_blocks_serve_the_request),
		WITH_BUDGET(retained_memory_goes_before_a_callback_is_asked),
	};

	return cmocka_run_group_tests_name("heap_yields", tests, NULL, NULL);
}
