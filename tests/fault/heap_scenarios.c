/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/align.h"
#include "heap/heap.h"
#include "heap_scenarios.h"
#include "host/host.h"

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
 * Leave retained memory with something in each page. A full block that grows gets
 * huge pages, which the kernel brings in faster.
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

/* Leave a slot in which only the first bytes were written to. */
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

static void memory_of_both(struct stage *stage)
{
	memory(stage);
	memory_of_runs(stage);
}

/* After two milliseconds the memory is older than the scenario's options ask. */
static void old_memory(struct stage *stage)
{
	memory_of_both(stage);
	usleep(2000);
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

const struct scenario heap_scenarios[] = {
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
	{ RUN("collect", memory_of_both, collect_all) },
	{ RUN("collect, to be reclaimed", old_memory, collect_old),
	  AGES(1, VMS_HEAP_NEVER) },
	{ RUN("collect by age", old_memory, collect_old), AGES(1, 1) },
};

const size_t heap_scenario_count =
	sizeof(heap_scenarios) / sizeof(heap_scenarios[0]);
