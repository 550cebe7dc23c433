/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../model/heap_blocks.h"
#include "heap/check.h"
#include "heap/heap.h"
#include "host_fault.h"
#include "snapshot.h"
#include "space/inside.h"

/*
 * Every host call of every operation of a heap is failed in turn: once, from
 * then on, and with its target destroyed. The operation succeeds or answers
 * ENOMEM; every block is as it was, and the heap works afterwards.
 */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define CALLS_MAX 400
#define ERRNO_BEFORE 4711
#define BLOCKS 4

/* A heap in which one operation is about to be made, and its blocks. */
struct stage {
	vms_heap *heap;
	struct heap_block blocks[BLOCKS];
};

struct scenario {
	const char *name;
	void (*arrange)(struct stage *stage);
	/* The operation, on block 0. */
	void (*act)(struct stage *stage);
	struct vms_heap_options options;
	bool exact;              /* the charge is known whatever has failed */
};

/* A run of one of them. */
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

static void expect(bool condition, const char *what)
{
	if (!condition)
		complain(what);
}

/* --- what scenarios are made of ------------------------------------------- */

static void put(struct stage *stage, unsigned i, void *memory, size_t size)
{
	if (!memory)
		return;
	stage->blocks[i] = (struct heap_block){
		.memory = memory, .size = size, .seed = i + 100 * size,
	};
	heap_block_fill(&stage->blocks[i], size / 2);
}

static void make(struct stage *stage, unsigned i, size_t size)
{
	put(stage, i, vms_heap_malloc(stage->heap, size), size);
	assert_non_null(stage->blocks[i].memory);
}

static void drop(struct stage *stage, unsigned i)
{
	vms_heap_free(stage->heap, stage->blocks[i].memory);
	stage->blocks[i].memory = NULL;
}

static void touch(unsigned char *memory, size_t from, size_t to)
{
	for (size_t i = from; i < to; i += vmsi_page_size())
		memory[i] = 0xff;
}

/*
 * Memory that is retained and holds something in each page. A full block that
 * grows gets huge pages, which are brought in faster.
 */
static void leave(struct stage *stage, size_t size)
{
	const size_t begin = vmsi_min(size, 2 * MIB);
	unsigned char *memory = vms_heap_malloc(stage->heap, begin);

	assert_non_null(memory);
	touch(memory, 0, begin);
	memory = vms_heap_realloc(stage->heap, memory, size);
	assert_non_null(memory);
	touch(memory, begin, size);
	vms_heap_free(stage->heap, memory);
}

static void realloc_to(struct stage *stage, size_t size)
{
	struct heap_block *block = &stage->blocks[0];
	void *memory = vms_heap_realloc(stage->heap, block->memory, size);

	if (!memory)
		return;
	block->memory = memory;
	heap_block_resize(block, size);
}

static void calloc_of(struct stage *stage, size_t size)
{
	unsigned char *memory = vms_heap_calloc(stage->heap, 1, size);

	if (memory)
		expect(heap_block_is_zero(memory, size, vmsi_page_size()),
		       "not zero");
	put(stage, 0, memory, size);
}

/* --- scenarios ------------------------------------------------------------ */

static void nothing(struct stage *stage)
{
	(void)stage;
}

static void a_small_block(struct stage *stage)
{
	make(stage, 0, 100 * KIB);
	make(stage, 1, 100 * KIB);
}

static void a_full_run_room(struct stage *stage)
{
	make(stage, 1, MIB);
	make(stage, 2, MIB);
}

static void a_block(struct stage *stage)
{
	make(stage, 0, 3 * MIB);
	make(stage, 1, 200 * KIB);
}

static void a_grown_block(struct stage *stage)
{
	make(stage, 0, 3 * MIB);
	realloc_to(stage, 60 * MIB);
	heap_block_fill(&stage->blocks[0], 1);
}

static void a_grown_block_and_memory(struct stage *stage)
{
	leave(stage, 90 * MIB);
	a_grown_block(stage);
	leave(stage, 80 * KIB);
}

static void a_small_block_and_memory(struct stage *stage)
{
	leave(stage, 5 * MIB);
	a_small_block(stage);
	make(stage, 2, MIB);
	leave(stage, 5 * MIB);
}

static void memory(struct stage *stage)
{
	make(stage, 1, 3 * MIB);
	leave(stage, 3 * MIB);
	leave(stage, 30 * MIB);
}

static void memory_of_runs(struct stage *stage)
{
	make(stage, 2, 100 * KIB);
	leave(stage, 100 * KIB);
	leave(stage, 500 * KIB);
}

/* So little that the first block of a run has only its beginning there. */
static void less_than_a_block(struct stage *stage)
{
	unsigned char *memory = vms_heap_aligned_alloc(stage->heap, 2 * MIB, 100);

	assert_non_null(memory);
	touch(memory, 0, 100);
	vms_heap_free(stage->heap, memory);
}

static void a_hole(struct stage *stage)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		make(stage, i, 100 * KIB);
	drop(stage, 1);
}

static void a_hole_below(struct stage *stage)
{
	a_hole(stage);
	drop(stage, 0);
}

static void two_holes(struct stage *stage)
{
	make(stage, 1, 100 * KIB);
	make(stage, 0, 100 * KIB);
	make(stage, 3, 100 * KIB);
	make(stage, 2, 100 * KIB);
	drop(stage, 1);
	drop(stage, 3);
}

static void too_many_holes(struct stage *stage)
{
	a_hole(stage);
	stage->heap->runs.holes_most = 1;
	drop(stage, 3);
	make(stage, 1, 100 * KIB);
}

static void memory_of_tables(struct stage *stage)
{
	unsigned char *table = vms_heap_calloc(stage->heap, 1, 20 * MIB);

	assert_non_null(table);
	table[5 * MIB] = 1;
	vms_heap_free(stage->heap, table);
}

static void a_sparse_table(struct stage *stage)
{
	calloc_of(stage, 60 * MIB);
}

static void old_memory(struct stage *stage)
{
	memory(stage);
	memory_of_runs(stage);
	usleep(10000);
}

static void malloc_small(struct stage *stage)
{
	put(stage, 0, vms_heap_malloc(stage->heap, 100 * KIB), 100 * KIB);
}

static void malloc_next(struct stage *stage)
{
	put(stage, 0, vms_heap_malloc(stage->heap, MIB), MIB);
}

static void malloc_large(struct stage *stage)
{
	put(stage, 0, vms_heap_malloc(stage->heap, 4 * MIB), 4 * MIB);
}

static void malloc_very_large(struct stage *stage)
{
	put(stage, 0, vms_heap_malloc(stage->heap, 100 * MIB), 100 * MIB);
}

static void malloc_aligned(struct stage *stage)
{
	put(stage, 0, vms_heap_aligned_alloc(stage->heap, 128 * MIB, 100), 100);
}

static void calloc_small(struct stage *stage)
{
	calloc_of(stage, 100 * KIB);
}

static void calloc_large(struct stage *stage)
{
	calloc_of(stage, 25 * MIB);
}

static void realloc_a_little(struct stage *stage)
{
	realloc_to(stage, stage->blocks[0].size + 100);
}

static void realloc_in_place(struct stage *stage)
{
	realloc_to(stage, 20 * MIB);
}

static void realloc_by_move(struct stage *stage)
{
	realloc_to(stage, 100 * MIB);
}

static void realloc_by_move_a_little(struct stage *stage)
{
	realloc_to(stage, 66 * MIB);
}

static void realloc_out_of_run(struct stage *stage)
{
	realloc_to(stage, 2 * MIB);
}

static void realloc_to_less(struct stage *stage)
{
	realloc_to(stage, 10 * KIB);
}

static void realloc_to_half(struct stage *stage)
{
	realloc_to(stage, stage->blocks[0].size / 2);
}

static void free_block(struct stage *stage)
{
	drop(stage, 0);
}

static void collect_all(struct stage *stage)
{
	(void)vms_heap_collect(stage->heap, VMS_HEAP_COLLECT_ALL);
}

static void collect_old(struct stage *stage)
{
	(void)vms_heap_collect(stage->heap, 0);
}

#define RUN(scenario_name, arrangement, action) \
	.name = scenario_name, .arrange = arrangement, .act = action
#define NONE_RETAINED .options = { .retain = VMS_HEAP_RETAIN_NONE }
#define AGES(first, second) \
	.options = { .reclaimable_after = first, .give_back_after = second }

static const struct scenario scenarios[] = {
	{ RUN("malloc in a new run", nothing, malloc_small) },
	{ RUN("malloc in a run", a_full_run_room, malloc_next) },
	{ RUN("malloc of memory of a run", memory_of_runs, malloc_small) },
	{ RUN("malloc of a run in used memory", memory, malloc_small) },
	{ RUN("malloc of a run in less than a block", less_than_a_block,
	      malloc_next) },
	{ RUN("malloc in a slot", nothing, malloc_large) },
	{ RUN("malloc in used memory", memory, malloc_large) },
	{ RUN("malloc in a large slot", memory, malloc_very_large) },
	{ RUN("aligned_alloc", memory, malloc_aligned) },
	{ RUN("calloc in a new run", memory, calloc_small) },
	{ RUN("calloc of memory of a run", memory_of_runs, calloc_small) },
	{ RUN("calloc in a slot", memory, calloc_large) },
	{ RUN("calloc where a table was", memory_of_tables, calloc_large) },
	{ RUN("realloc without a call", a_grown_block, realloc_a_little) },
	{ RUN("realloc in place", a_block, realloc_in_place) },
	{ RUN("realloc of a table", a_sparse_table, realloc_by_move) },
	{ RUN("realloc by a move", a_grown_block, realloc_by_move) },
	{ RUN("realloc by a move into used memory", a_grown_block_and_memory,
	      realloc_by_move_a_little) },
	{ RUN("realloc out of a run", a_small_block, realloc_out_of_run) },
	{ RUN("realloc out of a run into used memory",
	      a_small_block_and_memory, realloc_out_of_run) },
	{ RUN("realloc to less in a run", a_small_block, realloc_to_less) },
	{ RUN("realloc to less in a slot", a_grown_block, realloc_to_half) },
	{ RUN("free in a run", a_small_block, free_block) },
	{ RUN("free of a slot", a_block, free_block) },
	{ RUN("free of a table", a_sparse_table, free_block) },
	{ RUN("free in a run, to the host", a_small_block, free_block),
	  NONE_RETAINED },
	{ RUN("free of a slot, to the host", a_block, free_block),
	  NONE_RETAINED },
	{ RUN("free past the limit", a_grown_block, free_block),
	  .options = { .retain = 8 * MIB } },
	{ RUN("malloc in a hole", a_hole_below, malloc_small), NONE_RETAINED,
	  .exact = true },
	{ RUN("calloc in a hole", a_hole_below, calloc_small), NONE_RETAINED,
	  .exact = true },
	{ RUN("realloc out of a run, to a hole", a_hole, realloc_out_of_run),
	  NONE_RETAINED },
	{ RUN("free beside a hole", a_hole, free_block), NONE_RETAINED,
	  .exact = true },
	{ RUN("free between holes", two_holes, free_block), NONE_RETAINED,
	  .exact = true },
	{ RUN("free where holes are many", too_many_holes, free_block),
	  NONE_RETAINED,
	  .exact = true },
	{ RUN("collect beside a hole", a_hole, collect_all), NONE_RETAINED,
	  .exact = true },
	{ RUN("collect", old_memory, collect_all) },
	{ RUN("collect, to be reclaimed", old_memory, collect_old),
	  AGES(1, VMS_HEAP_NEVER) },
	{ RUN("collect by age", old_memory, collect_old), AGES(1, 1) },
};

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

/* Each block can be grown, and new ones are zero. */
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
		memset(memory, 0xff, vmsi_min(sizes[i], 256 * KIB));
		vms_heap_free(stage->heap, memory);
	}
	expect_right();
}

static void expect_nothing_left(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	for (unsigned i = 0; i < BLOCKS; i++)
		drop(&run.stage, i);
	(void)vms_heap_collect(run.stage.heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(vms_heap_get_stats(run.stage.heap, &stats), 0);
	expect(stats.blocks == 0 && stats.live == 0, "a block is left");
	expect(stats.retained == 0 && stats.committed == 0 &&
	       stats.resident == 0, "memory is left");
	expect(!run.stage.heap->ages.lost, "a slot is lost");
}

/* Returns whether addresses were left behind, by the heap or anyone else. */
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

		run.plan.n++;
		assert_true(run.plan.n < CALLS_MAX);
		/* The program's own runtime may map some, though not each time. */
		for (int i = 0; i < 4 && leaked; i++)
			leaked = try_plan();
		expect(!leaked, "addresses were left behind");
	} while (run.result.calls >= run.plan.n);
}

static void every_host_call_is_failed(void **state)
{
	run.scenario = *state;
	for (enum fault_errno which = 0; which < FAULT_ERRNOS; which++)
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
			/* A host that unmaps nothing at all is left no choice. */
			expect(!leaked || run.plan.mode == FAULT_FROM,
			       "addresses were left behind");
		} while (run.result.calls >= run.plan.n);
	}
}

/* heap_sweep [PART-OF-A-NAME] */
int main(int argc, char **argv)
{
	enum { COUNT = sizeof(scenarios) / sizeof(scenarios[0]) };
	struct CMUnitTest tests[COUNT + 1];
	size_t chosen = 0;

	tests[chosen++] = (struct CMUnitTest)cmocka_unit_test(
		a_heap_that_cannot_be_opened_leaves_nothing);
	for (size_t i = 0; i < COUNT; i++)
		if (argc < 2 || strstr(scenarios[i].name, argv[1]))
			tests[chosen++] = (struct CMUnitTest){
				.name = scenarios[i].name,
				.test_func = every_host_call_is_failed,
				.initial_state = (void *)&scenarios[i],
			};
	/* What the host can do is found out once, and kept. */
	vms_heap_close(vms_heap_open(NULL));
	fault_install();
	return _cmocka_run_group_tests("heap_sweep", tests, chosen, NULL, NULL);
}
