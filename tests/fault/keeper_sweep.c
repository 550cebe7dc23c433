/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper_kernel.h"

/*
 * Every call of the keeper of limits is failed in turn, in a kernel that is made up. An
 * operation that fails has left the limits as they were, and does what it should when it
 * is called again. No descriptor stays open.
 */

#define CALLS_MAX 400
#define MIB (1ULL << 20)

struct scenario {
	const char *name;
	void (*prepare)(void);
	int (*act)(const char **step);
	/* The limits afterwards, in MiB, of the two groups that there are. */
	uint64_t wanted[GROUPS];
};

static int group[GROUPS];

static int set(int which, uint64_t mib, const char **step)
{
	return vmsi_bpf_set(group[which], mib * MIB, step);
}

/* --- operations -------------------------------------------------------------------- */

static void nothing(void)
{
}

static void one(void)
{
	const char *step;

	assert_int_equal(set(0, 64, &step), 0);
}

static void two(void)
{
	const char *step;

	one();
	assert_int_equal(set(1, 32, &step), 0);
}

static void two_and_one_ends(void)
{
	two();
	kernel_end_group(group[1]);
}

static int set_first(const char **step)
{
	return set(0, 48, step);
}

static int set_second(const char **step)
{
	return set(1, 16, step);
}

static int clear_first(const char **step)
{
	return vmsi_bpf_clear(group[0], step);
}

static int list(const char **step)
{
	static struct vmsi_bpf_group groups[VMSI_BPF_LIMITS];
	uint64_t lost;
	size_t count;
	const int error = vmsi_bpf_list(groups, &count, &lost, step);
	size_t limits = 0;

	if (error)
		return error;
	for (size_t i = 0; i < GROUPS; i++)
		limits += kernel_limit(group[i]) != 0;
	assert_int_equal(count, limits);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(groups[i].committed,
				 COMMITTED_PAGES * (uint64_t)sysconf(_SC_PAGESIZE));
		assert_int_not_equal(groups[i].limit, 0);
	}
	return 0;
}

static const struct scenario scenarios[] = {
	{ "the first limit", nothing, set_first, { 48, 0 } },
	{ "a second limit", one, set_second, { 64, 16 } },
	{ "another limit", two, set_first, { 48, 32 } },
	{ "the last limit is taken away", one, clear_first, { 0, 0 } },
	{ "a limit is taken away", two, clear_first, { 0, 32 } },
	{ "a list of none", nothing, list, { 0, 0 } },
	{ "a list", two, list, { 64, 32 } },
	{ "a list after one has ended", two_and_one_ends, list, { 64, 0 } },
	{ "a limit after one has ended", two_and_one_ends, set_first, { 48, 0 } },
};

/* --- the sweep --------------------------------------------------------------------- */

static void check_limits(const struct scenario *scenario, const uint64_t limits[GROUPS],
			 unsigned call)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (kernel_limit(group[i]) != limits[i] * MIB)
			fail_msg("%s, call %u (%s) failed: group %zu has %llu, not "
				 "%llu MiB", scenario->name, call, kernel_failed(), i,
				 (unsigned long long)(kernel_limit(group[i]) / MIB),
				 (unsigned long long)limits[i]);
}

static void begin(const struct scenario *scenario)
{
	kernel_begin();
	for (int i = 0; i < GROUPS; i++)
		group[i] = kernel_group(i);
	scenario->prepare();
}

static void end(void)
{
	for (int i = 0; i < GROUPS; i++)
		close(group[i]);
	kernel_end();
}

/* Returns whether there was a call to fail. */
static bool fail_call(const struct scenario *scenario, unsigned call)
{
	uint64_t before[GROUPS];
	const char *step = NULL;
	size_t descriptors;
	bool was_failed;
	int error;

	begin(scenario);
	for (size_t i = 0; i < GROUPS; i++)
		before[i] = kernel_limit(group[i]) / MIB;
	descriptors = kernel_descriptors();
	kernel_plan(call, KERNEL_ONCE);
	error = scenario->act(&step);
	was_failed = kernel_plan(0, KERNEL_ONCE);
	check_limits(scenario, error ? before : scenario->wanted, call);
	if (error)
		assert_non_null(step);
	/* Nothing is traced for nobody's sake. */
	if (error && scenario->prepare == nothing)
		assert_int_equal(kernel_pins(), 0);
	assert_int_equal(kernel_descriptors(), descriptors);
	if (error)
		assert_int_equal(scenario->act(&step), 0);
	check_limits(scenario, scenario->wanted, call);
	end();

	/* From then on: nothing stays open. */
	begin(scenario);
	kernel_plan(call, KERNEL_FROM_THEN_ON);
	scenario->act(&step);
	kernel_plan(0, KERNEL_ONCE);
	assert_int_equal(kernel_descriptors(), descriptors);
	end();
	return was_failed;
}

static void test_every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		unsigned call = 1;

		while (fail_call(&scenarios[i], call))
			assert_in_range(++call, 1, CALLS_MAX);
		print_message("# %s: %u calls\n", scenarios[i].name, call - 1);
	}
}

static void test_all_are_pinned(void **state)
{
	const struct scenario scenario = { .prepare = one };

	(void)state;
	begin(&scenario);
	/* All the maps that the programs share, and the programs. */
	assert_int_equal(kernel_pins(), kernel_programs() + 4);
	end();
}

/* Whatever stands where the pins should be is told, and stays. */
static void test_foreign_pins(void **state)
{
	const struct scenario scenario = { .prepare = nothing };
	const char *step;

	(void)state;
	begin(&scenario);
	kernel_make_pins(0777);
	assert_int_equal(set(0, 64, &step), -EPROTO);
	assert_int_equal(list(&step), -EPROTO);
	assert_int_equal(kernel_pins(), 0);
	end();

	begin(&scenario);
	kernel_make_pins(0700);
	assert_int_equal(set(0, 64, &step), -EPROTO);
	assert_int_equal(kernel_pins(), 0);
	end();
}

static void test_no_room(void **state)
{
	const struct scenario scenario = { .prepare = two };
	const char *step;

	(void)state;
	begin(&scenario);
	kernel_fill_slots();
	/* One that has a limit needs no room. */
	assert_int_equal(set(0, 8, &step), 0);
	assert_int_equal(vmsi_bpf_clear(group[1], &step), 0);
	assert_int_equal(set(1, 8, &step), 0);
	kernel_forget_group(group[1]);
	assert_int_equal(set(1, 8, &step), -ENOSPC);
	assert_int_equal(vmsi_bpf_clear(group[1], &step), -ENOENT);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
		cmocka_unit_test(test_all_are_pinned),
		cmocka_unit_test(test_foreign_pins),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
