/* SPDX-License-Identifier: MIT */
#include "stacks_fixture.h"

/* What memory stacks keep, and how deep they were used. */

static size_t resident(const vms_stack *stack)
{
	const uintptr_t base = (uintptr_t)stack->base;
	size_t bytes;

	assert_int_equal(vmsi_host_resident(
				 (struct vmsi_range){ base, base + stack->size },
				 &bytes), 0);
	return bytes;
}

static void use(const vms_stack *stack, size_t depth)
{
	memset((char *)stack->top - depth, 0x5a, depth);
}

static void collect(unsigned flags)
{
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_stacks_collect(pool, flags), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

static void open_keeping(size_t keep)
{
	struct vms_stacks_options options = {
		.keep = keep, .age = VMS_STACKS_NEVER,
	};

	open_pool(COUNT, 64 * page(), &options);
}

static void memory_goes_back_by_age(void **state)
{
	vms_stack stack;

	(void)state;
	open_keeping(4 * page());
	stack = take();
	use(&stack, 40 * page());
	give(&stack);
	assert_int_equal(resident(&stack), 40 * page());
	/* Used since the last pass: it keeps its upper end. */
	collect(0);
	assert_int_equal(resident(&stack), 4 * page());
	assert_int_equal(*((char *)stack.top - 1), 0x5a);
	/* Not used since then. */
	collect(0);
	assert_int_equal(resident(&stack), 0);
	assert_int_equal(pool_stats().collected, 2);
	/* There is nothing to give back any more, and no call is made for it. */
	collect(0);
	assert_int_equal(pool_stats().collected, 2);
}

static void what_is_used_again_keeps_its_upper_end(void **state)
{
	vms_stack stack;

	(void)state;
	open_keeping(4 * page());
	for (int i = 0; i < 5; i++) {
		stack = take();
		use(&stack, 20 * page());
		give(&stack);
		collect(0);
		assert_int_equal(resident(&stack), 4 * page());
	}
	/* A stack of which all may be kept needs no call. */
	assert_int_equal(close_pool(NULL), 0);
	open_keeping(SIZE_MAX);
	stack = take();
	use(&stack, 20 * page());
	give(&stack);
	collect(0);
	assert_int_equal(resident(&stack), 20 * page());
	assert_int_equal(pool_stats().collected, 0);
	collect(0);
	assert_int_equal(resident(&stack), 0);
}

static void taken_stacks_are_left_alone(void **state)
{
	vms_stack stack;

	(void)state;
	open_keeping(page());
	stack = take();
	use(&stack, 20 * page());
	collect(0);
	collect(0);
	collect(VMS_STACKS_COLLECT_ALL);
	assert_int_equal(resident(&stack), 20 * page());
	/* Their age is counted from when they are given back. */
	give(&stack);
	collect(0);
	assert_int_equal(resident(&stack), page());
}

static void all_goes_back_when_asked(void **state)
{
	vms_stack stacks[COUNT];

	(void)state;
	open_keeping(0);
	for (size_t i = 0; i < COUNT; i++) {
		stacks[i] = take();
		use(&stacks[i], (i % 64 + 1) * page());
	}
	for (size_t i = 0; i < COUNT; i++)
		give(&stacks[i]);
	collect(VMS_STACKS_COLLECT_ALL);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(resident(&stacks[i]), 0);
		assert_guarded(&stacks[i]);
	}
	assert_int_equal(pool_stats().collected, COUNT);
}

/* The clock is the kernel's; what is waited for is that memory has gone back. */
static void wait_for_collecting(bool one_more)
{
	struct vms_stacks_options options = { .age = 1 };
	vms_stack deep, other, third;

	open_pool(COUNT, 64 * page(), &options);
	deep = take();
	use(&deep, 40 * page());
	other = take();
	third = take();
	give(&deep);
	if (one_more)
		give(&third);
	give(&other);
	while (resident(&deep) > 0) {
		other = take();
		assert_ptr_not_equal(other.base, deep.base);
		give(&other);
	}
	assert_true(pool_stats().collected > 0);
	assert_int_equal(close_pool(NULL), 0);
}

/* Whether gives are the even or the odd changes of the list. */
static void giving_back_collects_by_itself(void **state)
{
	(void)state;
	wait_for_collecting(false);
	wait_for_collecting(true);
}

static void without_an_age_it_does_not(void **state)
{
	vms_stack stack, other;

	(void)state;
	open_keeping(page());
	stack = take();
	other = take();
	use(&stack, 40 * page());
	give(&stack);
	for (int i = 0; i < 100000; i++) {
		give(&other);
		other = take();
	}
	assert_int_equal(resident(&stack), 40 * page());
	assert_int_equal(pool_stats().collected, 0);
}

/* --- depth ------------------------------------------------------------------------- */

static size_t depth(const vms_stack *stack)
{
	size_t bytes;

	errno = ERRNO_BEFORE;
	assert_int_equal(vms_stacks_high_water(pool, stack, &bytes), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
	return bytes;
}

static void depth_is_told_by_the_page(void **state)
{
	vms_stack stack;
	size_t bytes = 1;

	(void)state;
	open_keeping(0);
	stack = take();
	assert_int_equal(depth(&stack), 0);
	use(&stack, 1);
	assert_int_equal(depth(&stack), page());
	((char *)stack.top)[-10 * (long)page() - 1] = 1;
	assert_int_equal(depth(&stack), 11 * page());
	((char *)stack.base)[0] = 1;
	assert_int_equal(depth(&stack), 64 * page());
	/* What the program has written into its struct does not count. */
	stack.size = SIZE_MAX / 2;
	assert_int_equal(depth(&stack), 64 * page());
	refused(vms_stacks_high_water(pool, &stack, NULL), EINVAL);
	give(&stack);
	refused(vms_stacks_high_water(pool, &stack, &bytes), EINVAL);
	assert_int_equal(bytes, 1);
}

static void depth_is_exact_where_stacks_are_cleared(void **state)
{
	struct vms_stacks_options options = {
		.flags = VMS_STACKS_CLEARED, .colours = 1024,
	};
	vms_stack stack;

	(void)state;
	open_pool(COUNT, 64 * page(), &options);
	(void)take();
	stack = take();
	assert_int_equal(stack.size, 65 * page() - 64);
	assert_int_equal(depth(&stack), 0);
	use(&stack, 12345);
	assert_int_equal(depth(&stack), 12345);
	use(&stack, 7);
	assert_int_equal(depth(&stack), 12345);
	give(&stack);
	/* Whoever takes it next finds zeroes, and its depth begins anew. */
	stack = take();
	for (size_t i = 0; i < stack.size; i++)
		assert_int_equal(((char *)stack.base)[i], 0);
	assert_int_equal(depth(&stack), 0);
	use(&stack, 3);
	assert_int_equal(depth(&stack), 3);
	use(&stack, stack.size);
	assert_int_equal(depth(&stack), stack.size);
}

/* Another holder's memory counts until it goes back. */
static void depth_of_earlier_holders_goes_with_their_memory(void **state)
{
	vms_stack stack;

	(void)state;
	open_keeping(2 * page());
	stack = take();
	use(&stack, 30 * page());
	give(&stack);
	stack = take();
	assert_int_equal(depth(&stack), 30 * page());
	give(&stack);
	collect(VMS_STACKS_COLLECT_ALL);
	stack = take();
	assert_int_equal(depth(&stack), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(memory_goes_back_by_age),
		pool_test(what_is_used_again_keeps_its_upper_end),
		pool_test(taken_stacks_are_left_alone),
		pool_test(all_goes_back_when_asked),
		cmocka_unit_test(giving_back_collects_by_itself),
		pool_test(without_an_age_it_does_not),
		pool_test(depth_is_told_by_the_page),
		pool_test(depth_is_exact_where_stacks_are_cleared),
		pool_test(depth_of_earlier_holders_goes_with_their_memory),
	};

	return cmocka_run_group_tests_name("stacks_collect", tests, NULL, NULL);
}
