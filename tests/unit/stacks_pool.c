/* SPDX-License-Identifier: MIT */
#include "stacks_fixture.h"

#include "stacks/fork.h"
#include "stacks/stacks.h"

/* Stacks are taken and given back. */

static void each_is_memory_between_guards(void **state)
{
	vms_stack stacks[COUNT];

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	for (size_t i = 0; i < COUNT; i++)
		stacks[i] = take();
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(stacks[i].size, SIZE);
		assert_ptr_equal(stacks[i].top, (char *)stacks[i].base + SIZE);
		assert_guarded(&stacks[i]);
	}
	/* None lies in another: each has its own bytes. */
	for (size_t i = 0; i < COUNT; i++)
		memset(stacks[i].base, (int)i + 1, stacks[i].size);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t at = 0; at < SIZE; at += 64)
			assert_int_equal(((char *)stacks[i].base)[at], i + 1);
}

static void a_pool_has_so_many(void **state)
{
	vms_stack stacks[COUNT], more = { 0 };

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	for (size_t i = 0; i < COUNT; i++)
		stacks[i] = take();
	assert_int_equal(pool_stats().taken, COUNT);
	refused(vms_stacks_take(pool, NULL, &more), EAGAIN);
	assert_null(more.base);
	give(&stacks[3]);
	more = take();
	assert_ptr_equal(more.base, stacks[3].base);
	refused(vms_stacks_take(pool, NULL, &more), EAGAIN);
}

static void the_last_given_is_the_first_taken(void **state)
{
	vms_stack first, second;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	first = take();
	second = take();
	give(&first);
	give(&second);
	assert_ptr_equal(take().base, second.base);
	assert_ptr_equal(take().base, first.base);
	assert_int_equal(pool_stats().taken, 2);
}

static void what_is_not_taken_cannot_be_given(void **state)
{
	vms_stack stack, other;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	stack = take();
	other = stack;
	other.base = (char *)other.base + page();
	refused(vms_stacks_give(pool, &other), EINVAL);
	other = stack;
	other.number = COUNT;
	refused(vms_stacks_give(pool, &other), EINVAL);
	other.number = SIZE_MAX;
	refused(vms_stacks_give(pool, &other), EINVAL);
	refused(vms_stacks_give(pool, NULL), EINVAL);
	refused(vms_stacks_give(NULL, &stack), EINVAL);
	give(&stack);
	refused(vms_stacks_give(pool, &stack), EINVAL);
	/* The second time did not put it into the list once more. */
	stack = take();
	assert_ptr_not_equal(take().base, stack.base);
}

/* Else a thread that has waited would take the list for what it was. */
static void a_list_that_is_the_same_again_is_another(void **state)
{
	vms_stack stack;
	uint64_t before;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	stack = take();
	give(&stack);
	before = atomic_load(&pool->free);
	stack = take();
	give(&stack);
	assert_true(atomic_load(&pool->free) != before);
	/* What lies below the count of changes is the same: the first slot. */
	assert_int_equal((atomic_load(&pool->free) ^ before) & 0xffffff, 0);
}

static void bases_are_aligned(void **state)
{
	struct vms_stacks_options options = { .alignment = 16 * page() };

	(void)state;
	open_pool(COUNT, 15 * page(), &options);
	assert_int_equal(pool_stats().pitch, 16 * page());
	for (size_t i = 0; i < COUNT; i++) {
		vms_stack stack = take();

		assert_true(vmsi_is_aligned((uintptr_t)stack.base, 16 * page()));
		assert_guarded(&stack);
	}
	assert_int_equal(close_pool(NULL), 0);
	/* What is left between two is no gap that nobody watches. */
	options.alignment = 8 * page();
	open_pool(COUNT, 2 * page() + 1, &options);
	for (size_t i = 0; i < COUNT; i++) {
		vms_stack stack = take();

		assert_true(vmsi_is_aligned((uintptr_t)stack.base, 8 * page()));
		assert_guarded(&stack);
	}
	assert_int_equal(pool_stats().stack_size, 7 * page());
}

static void guards_are_as_large_as_asked(void **state)
{
	struct vms_stacks_options options = { .guard = 3 * page() + 1 };

	(void)state;
	open_pool(COUNT, page(), &options);
	assert_int_equal(pool_stats().guard_size, 4 * page());
	assert_int_equal(pool_stats().pitch, 5 * page());
	for (size_t i = 0; i < COUNT; i++) {
		vms_stack stack = take();

		for (size_t j = 1; j <= 4; j++)
			assert_false(is_writable((char *)stack.base - j * page()));
		assert_guarded(&stack);
	}
}

static void colours_spread_the_tops(void **state)
{
	struct vms_stacks_options options = { .colours = 256 };
	vms_stack stacks[8];

	(void)state;
	open_pool(COUNT, SIZE, &options);
	assert_int_equal(pool_stats().stack_size, SIZE + page());
	for (size_t i = 0; i < 8; i++) {
		stacks[i] = take();
		assert_int_equal(stacks[i].size, SIZE + page() - i % 4 * 64);
		assert_ptr_equal(stacks[i].top,
				 (char *)stacks[i].base + stacks[i].size);
		assert_guarded(&stacks[i]);
	}
	for (size_t i = 0; i < 8; i++)
		give(&stacks[i]);
}

/* As many bytes as were asked for, wherever the top is. */
static void colours_are_the_default(void **state)
{
	struct vms_stacks_options options = { .struct_size = sizeof(options) };
	size_t tops = 0;

	(void)state;
	pool = vms_stacks_open(COUNT, SIZE - 960, &options);
	assert_non_null(pool);
	assert_int_equal(pool_stats().stack_size, SIZE);
	for (size_t i = 0; i < 16; i++) {
		const vms_stack stack = take();

		assert_true(stack.size >= SIZE - 960);
		tops |= (size_t)1 << (SIZE - stack.size) / 64;
	}
	assert_int_equal(tops, 0xffff);
}

static void names_are_kept_and_cut_off(void **state)
{
	const char *long_name = "0123456789abcdef0123456789abcdefgh";
	char name[VMS_STACK_NAME_MAX + 1];
	vms_stack stack;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	assert_int_equal(vms_stacks_take(pool, "reader", &stack), 0);
	memset(stack.base, 'x', stack.size);
	assert_int_equal(vms_stacks_name(pool, &stack, name), 0);
	assert_string_equal(name, "reader");
	assert_int_equal(vms_stacks_set_name(pool, &stack, long_name), 0);
	assert_int_equal(vms_stacks_name(pool, &stack, name), 0);
	assert_memory_equal(name, long_name, VMS_STACK_NAME_MAX);
	assert_int_equal(strlen(name), VMS_STACK_NAME_MAX);
	refused(vms_stacks_name(pool, &stack, NULL), EINVAL);
	give(&stack);
	refused(vms_stacks_name(pool, &stack, name), EINVAL);
	refused(vms_stacks_set_name(pool, &stack, "x"), EINVAL);
	stack = take();
	assert_int_equal(vms_stacks_name(pool, &stack, name), 0);
	assert_string_equal(name, "");
}

static void a_stack_is_found_by_address(void **state)
{
	vms_stack stack, second, found;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	stack = take();
	second = take();
	assert_int_equal(vms_stacks_find(pool, stack.base, &found), 0);
	assert_memory_equal(&found, &stack, sizeof(found));
	assert_int_equal(vms_stacks_find(pool, (char *)stack.top - 1, &found), 0);
	assert_ptr_equal(found.base, stack.base);
	/* Behind the top lies the guard of the next. */
	assert_int_equal(vms_stacks_find(pool, stack.top, &found), 0);
	assert_ptr_equal(found.base, second.base);
	assert_int_equal(vms_stacks_find(pool, (char *)stack.base - 1, &found), 0);
	assert_ptr_equal(found.base, stack.base);
	give(&second);
	refused(vms_stacks_find(pool, second.base, &found), ENOENT);
	refused(vms_stacks_find(pool, &found, &found), ENOENT);
	refused(vms_stacks_find(pool, (char *)stack.base - SIZE, &found), ENOENT);
	refused(vms_stacks_find(pool, stack.base, NULL), EINVAL);
}

static void refuses(size_t count, size_t size, struct vms_stacks_options options,
		    int error)
{
	if (!options.struct_size)
		options.struct_size = sizeof(options);
	errno = 0;
	assert_null(vms_stacks_open(count, size, &options));
	assert_int_equal(errno, error);
}

static void bad_arguments_are_refused(void **state)
{
	vms_space *space = vms_space_open(1 << 20, NULL);
	vms_budget *budget = vms_budget_open(NULL);
	char long_name[VMS_NAME_MAX + 2];

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
#define OPTIONS(...) (struct vms_stacks_options){ __VA_ARGS__ }
	refuses(0, SIZE, OPTIONS(0), EINVAL);
	refuses(COUNT, 0, OPTIONS(0), EINVAL);
	refuses((size_t)VMS_STACKS_MOST + 1, SIZE, OPTIONS(0), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.struct_size = 8), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.flags = 0x80), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.alignment = 3 * page()), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.alignment = 64), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.colours = 65), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.colours = page() + 64), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.space = space, .budget = budget), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.name = long_name), EINVAL);
	refuses(COUNT, SIZE, OPTIONS(.name = "a\nb"), EINVAL);
	refuses(COUNT, SIZE_MAX, OPTIONS(0), ENOMEM);
	refuses(COUNT, SIZE_MAX - 1000, OPTIONS(0), ENOMEM);
	refuses(COUNT, SIZE_MAX / COUNT, OPTIONS(0), ENOMEM);
	refuses(COUNT, SIZE, OPTIONS(.guard = SIZE_MAX), ENOMEM);
	refuses(COUNT, SIZE, OPTIONS(.space = space), ENOMEM);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(vms_budget_close(budget), 0);
	refused(vms_stacks_take(NULL, NULL, &(vms_stack){ 0 }), EINVAL);
	refused(vms_stacks_collect(NULL, 0), EINVAL);
	refused(vms_stacks_watch_thread(NULL), EINVAL);
	refused(vms_stacks_unwatch_thread(NULL), EINVAL);
}

static void the_options_fill_the_rest(void **state)
{
	struct vms_stacks_stats stats;

	(void)state;
	open_pool(COUNT, SIZE - 1, NULL);
	stats = pool_stats();
	assert_int_equal(stats.count, COUNT);
	assert_int_equal(stats.stack_size, SIZE);
	assert_int_equal(stats.guard_size, page());
	assert_int_equal(stats.pitch, SIZE + page());
	assert_true(stats.reserved >= COUNT * (SIZE + page()) + page());
	assert_int_equal(stats.made, 0);
	assert_int_equal(stats.taken, 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(vms_stacks_close(NULL), 0);
	refused(vms_stacks_take(pool, NULL, NULL), EINVAL);
	refused(vms_stacks_collect(pool, 0x80), EINVAL);
}

static void one_stack_will_do(void **state)
{
	vms_stack stack;

	(void)state;
	open_pool(1, page(), NULL);
	stack = take();
	assert_guarded(&stack);
	refused(vms_stacks_take(pool, NULL, &stack), EAGAIN);
	give(&stack);
	stack = take();
}

/* --- closing ------------------------------------------------------------------------ */

static struct vmsi_host_calls real;
static const char *in_pool;
static size_t looks;

/* From here on the addresses may be those of a pool that another thread opens. */
static long look_while_unmapped(uintptr_t address, size_t length)
{
	if ((uintptr_t)in_pool - address < length) {
		assert_null(vmsi_stacks_of((uintptr_t)in_pool));
		looks++;
	}
	return real.munmap(address, length);
}

static long refuse_to_unmap(uintptr_t address, size_t length)
{
	return (uintptr_t)in_pool - address < length ? -ENOMEM :
						       real.munmap(address, length);
}

static void a_pool_that_is_closed_is_not_found(void **state)
{
	(void)state;
	open_pool(COUNT, SIZE, NULL);
	in_pool = take().base;
	real = vmsi_host;
	vmsi_host.munmap = refuse_to_unmap;
	refused(vms_stacks_close(pool), ENOMEM);
	assert_ptr_equal(vmsi_stacks_of((uintptr_t)in_pool), pool);
	vmsi_host.munmap = look_while_unmapped;
	assert_int_equal(vms_stacks_close(pool), 0);
	vmsi_host = real;
	assert_int_equal(looks, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(each_is_memory_between_guards),
		pool_test(a_pool_has_so_many),
		pool_test(the_last_given_is_the_first_taken),
		pool_test(what_is_not_taken_cannot_be_given),
		pool_test(a_list_that_is_the_same_again_is_another),
		pool_test(bases_are_aligned),
		pool_test(guards_are_as_large_as_asked),
		pool_test(colours_spread_the_tops),
		pool_test(colours_are_the_default),
		pool_test(names_are_kept_and_cut_off),
		pool_test(a_stack_is_found_by_address),
		cmocka_unit_test(bad_arguments_are_refused),
		pool_test(the_options_fill_the_rest),
		pool_test(one_stack_will_do),
		cmocka_unit_test(a_pool_that_is_closed_is_not_found),
	};

	return cmocka_run_group_tests_name("stacks_pool", tests, NULL, NULL);
}
