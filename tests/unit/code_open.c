/* SPDX-License-Identifier: MIT */
#include "code_host.h"

/* Opening pools: options, and reach. */

/* --- options --------------------------------------------------------------------------- */

static void defaults_do(void **state)
{
	(void)state;
	errno = 5;
	code = vms_code_open(NULL);
	assert_non_null(code);
	assert_int_equal(errno, 5);
	assert_int_equal(figures().reserved, (size_t)256 << 20);
	assert_int_equal(figures().mode, VMS_CODE_VIEWS);
	assert_int_equal(figures().refused, 0);
	assert_string_equal(vms_code_problem(code), "");
	assert_works();
}

static void bad_options_are_refused(void **state)
{
	vms_space *space = vms_space_open((size_t)1 << 20, NULL);
	vms_budget *budget = vms_budget_open(NULL);

	(void)state;
	assert_null(open_with((struct vms_code_options){ .flags = 1u << 31 }));
	assert_int_equal(errno, EINVAL);
	assert_null(open_with((struct vms_code_options){
		.mode = (enum vms_code_mode)4 }));
	assert_int_equal(errno, EINVAL);
	assert_null(open_with((struct vms_code_options){ .reach = 1 }));
	assert_int_equal(errno, EINVAL);
	assert_null(open_with((struct vms_code_options){ .space = space,
							 .budget = budget }));
	assert_int_equal(errno, EINVAL);
	/* Views need as many addresses again. */
	assert_null(open_with((struct vms_code_options){ .space = space }));
	assert_int_equal(errno, ENOMEM);
	assert_null(open_with((struct vms_code_options){
		.reserve = SIZE_MAX }));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(vms_budget_close(budget), 0);
}

static void a_pool_may_lie_in_a_space_of_the_program(void **state)
{
	vms_space *space = vms_space_open((size_t)16 << 20, NULL);
	struct vms_space_stats before = { .struct_size = sizeof(before) };
	struct vms_space_stats after = { .struct_size = sizeof(after) };
	struct vms_code_block block;

	(void)state;
	assert_int_equal(vms_space_get_stats(space, &before), 0);
	assert_non_null(open_with((struct vms_code_options){ .space = space }));
	block = make_published(100, 7);
	assert_true(vms_space_contains(space, block.run, 100));
	assert_int_equal(call(block.run), 7);
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_space_get_stats(space, &after), 0);
	assert_int_equal(after.mapped, before.mapped);
	assert_int_equal(vms_space_close(space), 0);
}

static void a_budget_is_charged_and_can_refuse(void **state)
{
	const struct vms_budget_options limits = {
		.struct_size = sizeof(limits), .limit = (size_t)1 << 20,
	};
	vms_budget *budget = vms_budget_open(&limits);
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vms_code_block small, large;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.budget = budget, .reserve = (size_t)8 << 20 }));
	small = make_published(100, 7);
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_true(stats.committed >= 65536);
	assert_refused(vms_code_alloc(code, (size_t)4 << 20, &large), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(call(small.run), 7);
	assert_works();
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(vms_budget_close(budget), 0);
}

/* A strict one is charged the length of a file in memory. */
static void a_strict_budget_can_be_used_up_after_a_refusal(void **state)
{
	const struct vms_budget_options limits = {
		.struct_size = sizeof(limits), .limit = (size_t)1 << 20,
		.policy = VMS_COMMIT_STRICT,
	};
	vms_budget *budget = vms_budget_open(&limits);
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vms_code_block block;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.budget = budget, .reserve = (size_t)8 << 20 }));
	block = make_published(100, 7);
	assert_refused(vms_code_alloc(code, (size_t)4 << 20, &block), ENOMEM);
	while (vms_code_alloc(code, 20000, &block) == 0)
		assert_int_equal(vms_code_publish(code, &block), 0);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_int_equal(stats.committed, (size_t)1 << 20);
	assert_sound();
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_budget_close(budget), 0);
}

/* --- reach -------------------------------------------------------------------------------- */

static size_t distance(const void *a, const void *b)
{
	return a < b ? (size_t)((const char *)b - (const char *)a) :
		       (size_t)((const char *)a - (const char *)b);
}

static void code_lies_within_reach(void **state)
{
	const void *near = (const void *)(uintptr_t)&open_with;
	struct vms_code_block block;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.near = near, .reserve = (size_t)64 << 20 }));
	block = make_published(100, 3);
	assert_true(distance(block.run, near) < (size_t)1 << 31);
	assert_int_equal(call(block.run), 3);
	assert_int_equal(vms_code_close(code), 0);
	assert_non_null(open_with((struct vms_code_options){
		.near = near, .reach = (size_t)128 << 20,
		.mode = VMS_CODE_FLIPS }));
	block = make_published(100, 4);
	assert_true(distance(block.run, near) < (size_t)128 << 20);
}

/* What the reach is for: a call of the program's own function, and one back. */
__attribute__((noinline)) static int of_the_program(void)
{
	return 4321;
}

static void write_jump(const struct vms_code_block *block, uintptr_t target)
{
	const intptr_t far = (intptr_t)(target - (uintptr_t)block->run);
#if defined(__x86_64__)
	const int32_t near = (int32_t)(far - 5);

	assert_int_equal(near, far - 5);
	*(unsigned char *)block->write = 0xe9; /* jmp near */
	memcpy((char *)block->write + 1, &near, sizeof(near));
#else
	const uint32_t branch = 0x14000000u | ((uint32_t)(far >> 2) & 0x3ffffff);

	assert_true(far >= -(1 << 27) && far < 1 << 27);
	memcpy(block->write, &branch, sizeof(branch)); /* b near */
#endif
}

static void relative_jumps_reach_the_program_and_all_of_the_pool(void **state)
{
	const uintptr_t program = (uintptr_t)&of_the_program;
#if defined(__x86_64__)
	const size_t reserve = (size_t)512 << 20, reach = 0;
#else
	const size_t reserve = (size_t)16 << 20, reach = (size_t)128 << 20;
#endif
	struct vms_code_block first, fill, last;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.near = (const void *)program, .reach = reach,
		.reserve = reserve, .mode = VMS_CODE_FLIPS }));
	assert_int_equal(vms_code_alloc(code, 100, &first), 0);
	assert_int_equal(vms_code_alloc(code, reserve - ((size_t)1 << 20),
					&fill), 0);
	assert_int_equal(vms_code_alloc(code, (size_t)512 << 10, &last), 0);
	assert_true(distance(first.run, last.run) > reserve - ((size_t)2 << 20));
	write_jump(&first, (uintptr_t)last.run);
	write_jump(&last, program);
	assert_int_equal(vms_code_publish(code, &first), 0);
	assert_int_equal(vms_code_publish(code, &last), 0);
	assert_int_equal(call(first.run), 4321);
}

static void what_cannot_lie_within_reach_is_refused(void **state)
{
	vms_space *space = vms_space_open((size_t)16 << 20, NULL);
	char *base = vms_space_base(space);
	struct vms_code_block block;

	(void)state;
	assert_null(open_with((struct vms_code_options){
		.near = base, .reach = 65536 }));
	assert_int_equal(errno, ERANGE);
	assert_null(open_with((struct vms_code_options){
		.near = base, .reserve = (size_t)3 << 30 }));
	assert_int_equal(errno, ERANGE);
	/* In a space of the program. */
	assert_null(open_with((struct vms_code_options){
		.space = space, .near = (void *)((uintptr_t)1 << 32),
		.reach = (size_t)1 << 30 }));
	assert_int_equal(errno, ERANGE);
	assert_non_null(open_with((struct vms_code_options){
		.space = space, .near = base + ((size_t)12 << 20),
		.reach = (size_t)4 << 20 }));
	block = make_published(100, 4);
	assert_true((char *)block.run >= base + ((size_t)8 << 20));
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_space_close(space), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(defaults_do),
		WITH_HOST(bad_options_are_refused),
		WITH_HOST(a_pool_may_lie_in_a_space_of_the_program),
		WITH_HOST(a_budget_is_charged_and_can_refuse),
		WITH_HOST(a_strict_budget_can_be_used_up_after_a_refusal),
		WITH_HOST(code_lies_within_reach),
		WITH_HOST(relative_jumps_reach_the_program_and_all_of_the_pool),
		WITH_HOST(what_cannot_lie_within_reach_is_refused),
	};

	return cmocka_run_group_tests_name("code_open", tests, NULL, NULL);
}
