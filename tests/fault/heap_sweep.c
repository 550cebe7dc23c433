/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vmspace.h>

#include "heap/check.h"
#include "heap/heap.h"
#include "heap_scenarios.h"
#include "host_fault.h"
#include "snapshot.h"
#include "space/inside.h"

/*
 * Every host call of every operation of a heap is failed in turn: once, from
 * then on, and with its target destroyed. The operation succeeds or answers
 * ENOMEM; every block is as it was, and the heap works afterwards.
 */

#define CALLS_MAX 400
#define ERRNO_BEFORE 4711

/* The scenario and the plan under way, and what came of them. */
static struct {
	const struct scenario *scenario;
	struct fault_plan plan;
	struct fault_result result;
	struct stage stage;
	int error;
} run;

static void complain(const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d), mode %d: %s (errno %d)",
		 run.scenario->name, run.plan.n,
		 fault_call_name(run.result.call), run.result.error,
		 run.plan.mode, what, run.error);
}

void expect(bool condition, const char *what)
{
	if (!condition)
		complain(what);
}

/* --- a run ---------------------------------------------------------------- */

static void begin(void)
{
	struct vms_heap_options options = run.scenario->options;

	options.struct_size = sizeof(options);
	run.stage = (struct stage){ .heap = vms_heap_open(&options) };
	assert_non_null(run.stage.heap);
	run.scenario->arrange(&run.stage);
}

static void operate(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };
	uint64_t refusals;

	assert_int_equal(vms_heap_get_stats(run.stage.heap, &stats), 0);
	refusals = stats.refusals;
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	run.scenario->act(&run.stage);
	run.error = errno;
	run.result = fault_end();
	assert_int_equal(vms_heap_get_stats(run.stage.heap, &stats), 0);
	if (stats.refusals == refusals)
		expect(run.error == ERRNO_BEFORE, "a success changed errno");
	else
		expect(run.error == ENOMEM && run.result.failed,
		       "refused without a reason");
}

static void expect_sound(void)
{
	const char *wrong = vmsi_heap_check(run.stage.heap);

	if (!wrong)
		wrong = vmsi_space_check(vms_heap_space(run.stage.heap));
	if (!wrong && run.scenario->exact)
		wrong = vmsi_heap_check_charge(run.stage.heap);
	expect(!wrong, wrong);
}

static void expect_right(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		expect(!run.stage.blocks[i].memory ||
		       heap_block_is_right(&run.stage.blocks[i]),
		       "the contents differ");
}

/* Check that each block can grow, and that new blocks are zeroed. */
static void expect_works(void)
{
	static const size_t sizes[] = { 100 * KIB, MIB, 5 * MIB, 30 * MIB,
					90 * MIB };
	struct stage *stage = &run.stage;

	for (unsigned i = 0; i < BLOCKS; i++) {
		struct heap_block *block = &stage->blocks[i];
		size_t size = block->size + block->size / 2 + 100 * KIB;
		void *memory;

		if (!block->memory)
			continue;
		memory = vms_heap_realloc(stage->heap, block->memory, size);
		expect(memory, "a block cannot be grown any more");
		block->memory = memory;
		heap_block_resize(block, size);
		heap_block_fill(block, 0);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *memory = vms_heap_calloc(stage->heap, 1,
							sizes[i]);

		expect(memory, "calloc does not work any more");
		expect(heap_block_is_zero(memory, sizes[i], vmsi_page_size()),
		       "calloc gives no zeroes any more");
		memset(memory, 0xff, vmsi_min(sizes[i], 64 * KIB));
		vms_heap_free(stage->heap, memory);
	}
	expect_right();
}

static void expect_nothing_left(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	for (unsigned i = 0; i < BLOCKS; i++) {
		vms_heap_free(run.stage.heap, run.stage.blocks[i].memory);
		run.stage.blocks[i].memory = NULL;
	}
	(void)vms_heap_collect(run.stage.heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(vms_heap_get_stats(run.stage.heap, &stats), 0);
	expect(stats.blocks == 0 && stats.live == 0, "a block is left");
	expect(stats.retained == 0 && stats.committed == 0 &&
	       stats.resident == 0, "memory is left");
	expect(!run.stage.heap->ages.lost, "a slot is lost");
}

/* Return whether the process has more addresses than before. */
static bool try_plan(void)
{
	size_t before = process_bytes();

	begin();
	operate();
	expect_sound();
	expect_right();
	expect_works();
	expect_sound();
	expect_nothing_left();
	expect_sound();
	vms_heap_close(run.stage.heap);
	(void)fault_sweep_refused(0, 0);
	return process_bytes() != before;
}

static void sweep(enum fault_mode mode, enum fault_errno which)
{
	run.plan = (struct fault_plan){ .mode = mode, .which = which };
	do {
		bool leaked = true;

		fault_next(&run.plan);
		assert_true(run.plan.n < CALLS_MAX);
		/* The C library may map memory too, though not each time. */
		for (int i = 0; i < 4 && leaked; i++)
			leaked = try_plan();
		expect(!leaked, "addresses were left behind");
	} while (run.result.calls >= run.plan.n);
}

static void every_host_call_is_failed(void **state)
{
	run.scenario = *state;
	for (enum fault_errno which = 0; which < FAULT_ERRNOS_SWEPT; which++)
		for (enum fault_mode mode = FAULT_ONCE;
		     mode <= FAULT_DESTROYING; mode++)
			sweep(mode, which);
}

/* --- open and close ------------------------------------------------------- */

static bool try_open(const struct vms_heap_options *options)
{
	size_t before = process_bytes();
	vms_heap *heap;

	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	heap = vms_heap_open(options);
	run.error = errno;
	run.result = fault_end();
	if (heap) {
		void *block = vms_heap_malloc(heap, 3 * MIB);

		expect(run.error == ERRNO_BEFORE, "a success changed errno");
		expect(block, "a heap that was opened does not work");
		vms_heap_free(heap, block);
		vms_heap_close(heap);
	} else {
		expect(run.error == ENOMEM, "another errno than ENOMEM");
	}
	(void)fault_sweep_refused(0, 0);
	return process_bytes() != before;
}

static void a_heap_that_cannot_be_opened_leaves_nothing(void **state)
{
	static const struct scenario opening = { .name = "open" };
	const struct vms_heap_options small = {
		.struct_size = sizeof(small), .reserve = 1024 * MIB,
	};

	(void)state;
	run.scenario = &opening;
	for (unsigned i = 0; i < 2 * FAULT_ERRNOS * 2; i++) {
		run.plan = (struct fault_plan){
			.mode = i & 1 ? FAULT_FROM : FAULT_ONCE,
			.which = i & 2 ? FAULT_OTHER : FAULT_USUAL,
		};
		do {
			bool leaked = true;

			assert_true(++run.plan.n < CALLS_MAX);
			for (int j = 0; j < 4 && leaked; j++)
				leaked = try_open(i & 4 ? &small : NULL);
			/*
			 * If the host refuses every munmap, the heap cannot help it.
			 */
			expect(!leaked || run.plan.mode == FAULT_FROM,
			       "addresses were left behind");
		} while (run.result.calls >= run.plan.n);
	}
}

/* heap_sweep [PART-OF-A-NAME] */
int main(int argc, char **argv)
{
	struct CMUnitTest tests[100];
	size_t chosen = 0;

	tests[chosen++] = (struct CMUnitTest)cmocka_unit_test(
		a_heap_that_cannot_be_opened_leaves_nothing);
	assert(heap_scenario_count < sizeof(tests) / sizeof(tests[0]));
	for (size_t i = 0; i < heap_scenario_count; i++)
		if (argc < 2 || strstr(heap_scenarios[i].name, argv[1]))
			tests[chosen++] = (struct CMUnitTest){
				.name = heap_scenarios[i].name,
				.test_func = every_host_call_is_failed,
				.initial_state = (void *)&heap_scenarios[i],
			};
	/* The library asks the host once what it can do; do it before the sweeps. */
	vms_heap_close(vms_heap_open(NULL));
	fault_stay_on_one_processor();
	fault_install();
	return _cmocka_run_group_tests("heap_sweep", tests, chosen, NULL, NULL);
}
