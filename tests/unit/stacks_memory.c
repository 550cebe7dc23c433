/* SPDX-License-Identifier: MIT */
#include "stacks_fixture.h"

/* What pools cost: mappings, charges, limits. */

#define MANY ((size_t)10000)

static struct vms_space_stats stats_of(vms_space *space)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	return stats;
}

static vms_stack *take_many(size_t count)
{
	vms_stack *stacks = calloc(count, sizeof(*stacks));

	assert_non_null(stacks);
	for (size_t i = 0; i < count; i++)
		stacks[i] = take();
	return stacks;
}

/* --- guards ---------------------------------------------------------------------------- */

static struct vmsi_host_calls real;

/* An older kernel. */
static long refuse_guards(uintptr_t address, size_t length, int advice)
{
	return advice == MADV_GUARD_INSTALL ? -EINVAL :
		real.madvise(address, length, advice);
}

/* An emulator that takes advice for what it may ignore. */
static long ignore_guards(uintptr_t address, size_t length, int advice)
{
	return advice == MADV_GUARD_INSTALL ? 0 :
		real.madvise(address, length, advice);
}

/* This must come first: that the host has guards is found out once. */
static void without_guards_each_is_a_mapping(void **state)
{
	long (*const older[])(uintptr_t, size_t, int) = { refuse_guards,
							  ignore_guards };

	(void)state;
	real = vmsi_host;
	for (size_t i = 0; i < 2; i++) {
		size_t before;
		vms_stack *stacks;

		vmsi_host.madvise = older[i];
		open_pool(1000, SIZE, NULL);
		before = mappings();
		stacks = take_many(1000);
		for (size_t j = 0; j < 1000; j++)
			assert_guarded(&stacks[j]);
		assert_int_equal(pool_stats().guard_mappings, 1000);
		assert_int_equal(pool_stats().committed, 1000 * SIZE);
		assert_in_range(mappings(), before + 1990, before + 2200);
		free(stacks);
		vmsi_host = real;
		assert_int_equal(close_pool(NULL), 0);
	}
}

static void many_stacks_are_few_mappings(void **state)
{
	const size_t before = mappings();
	vms_stack *stacks;

	(void)state;
	if (!vmsi_host_has_guards()) {
		print_message("skipped: MADV_GUARD_INSTALL is refused\n");
		skip();
	}
	open_pool(MANY, 4 * page(), NULL);
	stacks = take_many(MANY);
	for (size_t i = 0; i < MANY; i += 97)
		assert_guarded(&stacks[i]);
	assert_int_equal(pool_stats().guard_mappings, 0);
	assert_true(mappings() <= before + 50);
	/* Collecting leaves the guards where they are. */
	for (size_t i = 0; i < MANY; i++)
		give(&stacks[i]);
	assert_int_equal(vms_stacks_collect(pool, VMS_STACKS_COLLECT_ALL), 0);
	for (size_t i = 0; i < MANY; i += 97)
		assert_guarded(&stacks[i]);
	free(stacks);
}

/* A filter of system calls that a program has closed in, for what it does not know. */
static long forbid_guards(uintptr_t address, size_t length, int advice)
{
	return advice == MADV_GUARD_INSTALL ? -EPERM :
		real.madvise(address, length, advice);
}

static void a_pool_goes_on_without_guards(void **state)
{
	vms_stack *before, *after;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	before = take_many(COUNT / 2);
	real = vmsi_host;
	vmsi_host.madvise = forbid_guards;
	after = take_many(COUNT - COUNT / 2);
	vmsi_host = real;
	for (size_t i = 0; i < COUNT / 2; i++) {
		assert_guarded(&before[i]);
		assert_guarded(&after[i]);
	}
	assert_true(pool_stats().guard_mappings > 0);
	free(before);
	free(after);
}

/* The map-count limit is told by an error, and what there is goes on. */
static long refuse_mapping(uintptr_t address, size_t length, int prot)
{
	return prot == PROT_NONE ? real.mprotect(address, length, prot) : -ENOMEM;
}

static void a_limit_is_told(void **state)
{
	vms_stack stack, more;

	(void)state;
	open_pool(COUNT, SIZE, NULL);
	stack = take();
	real = vmsi_host;
	vmsi_host.mprotect = refuse_mapping;
	refused(vms_stacks_take(pool, NULL, &more), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_MAP_COUNT);
	assert_int_equal(pool_stats().made, 1);
	give(&stack);
	assert_ptr_equal(take().base, stack.base);
	vmsi_host = real;
	more = take();
	assert_guarded(&more);
}

static size_t map_limit(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	size_t limit = 0;

	if (file) {
		if (fscanf(file, "%zu", &limit) != 1)
			limit = 0;
		(void)fclose(file);
	}
	return limit;
}

/* What a kernel without guards in page tables has room for. */
static void as_many_as_the_host_has_mappings(void **state)
{
	const size_t limit = map_limit();
	size_t taken = 0;
	vms_stack stack;
	enum vms_refusal refusal;

	(void)state;
	if (limit == 0 || limit > 70000) {
		print_message("skipped: vm.max_map_count is not the usual one\n");
		skip();
	}
	open_pool(limit, page(), NULL);
	real = vmsi_host;
	vmsi_host.madvise = refuse_guards;
	while (vms_stacks_take(pool, NULL, &stack) == 0)
		taken++;
	refusal = vms_last_refusal();
	vmsi_host = real;
	assert_int_equal(close_pool(NULL), 0);
	assert_int_equal(refusal, VMS_REFUSAL_MAP_COUNT);
	assert_true(taken > limit / 2 - 1000 && taken <= limit / 2);
}

/* --- charges ----------------------------------------------------------------------------- */

static void stacks_are_charged_as_they_are_made(void **state)
{
	vms_space *space = vms_space_open((size_t)1 << 30, NULL);
	struct vms_stacks_options options = { .space = space };
	vms_stack stack;

	(void)state;
	open_pool(COUNT, SIZE, &options);
	assert_int_equal(stats_of(space).committed, 0);
	stack = take();
	assert_int_equal(stats_of(space).committed, pool_stats().committed);
	assert_true(stats_of(space).committed >= SIZE);
	give(&stack);
	free(take_many(COUNT));
	assert_int_equal(stats_of(space).committed, pool_stats().committed);
	assert_true(stats_of(space).committed >= COUNT * SIZE);
	assert_int_equal(close_pool(NULL), 0);
	assert_int_equal(stats_of(space).committed, 0);
	assert_int_equal(stats_of(space).mapped, 0);
	options.flags = VMS_STACKS_NORESERVE;
	open_pool(COUNT, SIZE, &options);
	free(take_many(COUNT));
	assert_int_equal(stats_of(space).committed, 0);
	assert_int_equal(close_pool(NULL), 0);
	assert_int_equal(vms_space_close(space), 0);
}

static void a_budget_refuses_the_next(void **state)
{
	struct vms_budget_options limit = {
		.struct_size = sizeof(limit),
		.limit = 9 * (SIZE + page()),
		.policy = VMS_COMMIT_STRICT,
	};
	vms_budget *budget = vms_budget_open(&limit);
	struct vms_stacks_options options = { .budget = budget };
	vms_stack more;
	size_t taken = 0;

	(void)state;
	assert_non_null(budget);
	open_pool(COUNT, SIZE, &options);
	while (vms_stacks_take(pool, NULL, &more) == 0)
		taken++;
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	/* All that fits was handed out, though the ninth would be made with another. */
	assert_int_equal(taken, 9);
	assert_int_equal(vms_budget_set_limit(budget, 20 * (SIZE + page())), 0);
	(void)take();
	assert_int_equal(close_pool(NULL), 0);
	assert_int_equal(vms_budget_close(budget), 0);
}

/* --- locked memory -------------------------------------------------------------------------- */

static void locked_memory_has_guards_all_the_same(void **state)
{
	vms_stack stack;

	(void)state;
	if (mlockall(MCL_FUTURE) != 0) {
		print_message("skipped: mlockall(MCL_FUTURE) is refused\n");
		skip();
	}
	open_pool(8, 4 * page(), NULL);
	for (int i = 0; i < 8; i++) {
		stack = take();
		assert_guarded(&stack);
	}
	assert_int_equal(munlockall(), 0);
	give(&stack);
	assert_int_equal(vms_stacks_collect(pool, VMS_STACKS_COLLECT_ALL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_guards_each_is_a_mapping),
		pool_test(many_stacks_are_few_mappings),
		pool_test(a_pool_goes_on_without_guards),
		pool_test(a_limit_is_told),
		pool_test(as_many_as_the_host_has_mappings),
		cmocka_unit_test(stacks_are_charged_as_they_are_made),
		cmocka_unit_test(a_budget_refuses_the_next),
		pool_test(locked_memory_has_guards_all_the_same),
	};

	return cmocka_run_group_tests_name("stacks_memory", tests, NULL, NULL);
}
