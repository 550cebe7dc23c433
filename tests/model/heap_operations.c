/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../fault/host_fault.h"
#include "heap/check.h"
#include "heap/heap.h"
#include "heap_operations.h"

#define LARGEST_LOG 28

static size_t below(struct worker *worker, size_t limit)
{
	return random_below(&worker->random, limit);
}

static void say(struct worker *worker, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct worker *worker, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(worker->last, sizeof(worker->last), format, arguments);
	va_end(arguments);
}

/* cmocka's asserts may be used in the main thread only. */
static void wrong(struct worker *worker, const char *what)
{
	if (atomic_exchange(&run.failed, true))
		return;
	(void)snprintf(run.failure, sizeof(run.failure),
		       "thread %u of %u, %s: %s (round %lu, --seed %llu)",
		       worker->number, run.threads, worker->last, what,
		       run.round, (unsigned long long)given.seed);
}

static void expect(struct worker *worker, bool condition, const char *what)
{
	if (!condition)
		wrong(worker, what);
}

/* --- choice --------------------------------------------------------------- */

/* Pick each power of two equally often; often a size near the border of a class. */
static size_t some_size(struct worker *worker)
{
	static const size_t borders[] = {
		4096, 65536, 81920, 98304, 131072, 1 << 20, 2 << 20, 4 << 20,
		64 << 20, 128 << 20,
	};
	size_t log = below(worker, LARGEST_LOG);
	size_t near = borders[below(worker, sizeof(borders) /
					    sizeof(borders[0]))];

	switch (below(worker, 6)) {
	case 0:
		return near;
	case 1:
		return near + 1;
	case 2:
		return near - 1;
	default:
		return ((size_t)1 << log) + below(worker, (size_t)1 << log);
	}
}

static size_t some_change(struct worker *worker, size_t size)
{
	switch (below(worker, 6)) {
	case 0:
		return size + below(worker, 65536);
	case 1:
		return size + size / 2;
	case 2:
		return size > 1 << (LARGEST_LOG - 1) ? size : 2 * size;
	case 3:
		return 1 + size - 1 - below(worker, size);
	case 4:
		return size - size / 8;
	default:
		return some_size(worker);
	}
}

/* --- failing -------------------------------------------------------------- */

/* Faults that the first thread begins may hit the others' calls. */
static void begin_operation(struct worker *worker)
{
	struct fault_plan plan = {
		.mode = FAULT_ONCE + (enum fault_mode)below(worker, 3),
		.n = 1 + (unsigned)below(worker, 5),
		.which = (enum fault_errno)below(worker, FAULT_ERRNOS),
	};

	errno = 4711;
	if (run.faults && worker->number == 0 && below(worker, 3) == 0)
		fault_begin(&plan);
}

/* Return whether a call succeeded; check the errno of one that did not. */
static bool succeeded(struct worker *worker, bool good)
{
	int error = errno;

	if (run.faults && worker->number == 0)
		(void)fault_end();
	if (good) {
		expect(worker, error == 4711, "a success changed errno");
		return true;
	}
	atomic_fetch_add(&run.refused, 1);
	expect(worker, error == ENOMEM, "another errno than ENOMEM");
	expect(worker, run.faults || run.narrow || run.strict,
	       "refused without a reason");
	return false;
}

/* --- operations ----------------------------------------------------------- */

static void adopt(struct worker *worker, struct heap_block *block,
		  unsigned char *memory, size_t size)
{
	*block = (struct heap_block){
		.memory = memory,
		.size = size,
		.seed = random_next(&worker->random),
	};
	expect(worker, (uintptr_t)memory % 4096 == 0, "no page's boundary");
	expect(worker, vms_heap_owns(run.heap, memory), "not the heap's own");
	heap_block_fill(block, random_next(&worker->random));
}

static void do_malloc(struct worker *worker, struct heap_block *block)
{
	size_t size = some_size(worker);
	void *memory;

	say(worker, "malloc %zu", size);
	begin_operation(worker);
	memory = vms_heap_malloc(run.heap, size);
	if (succeeded(worker, memory))
		adopt(worker, block, memory, size);
}

static void do_calloc(struct worker *worker, struct heap_block *block)
{
	size_t count = 1 + below(worker, 8);
	size_t size = 1 + some_size(worker) / count;
	void *memory;

	say(worker, "calloc %zu %zu", count, size);
	begin_operation(worker);
	memory = vms_heap_calloc(run.heap, count, size);
	if (!succeeded(worker, memory))
		return;
	expect(worker, heap_block_is_zero(memory, count * size,
					  vmsi_page_size()), "not zero");
	adopt(worker, block, memory, count * size);
}

static void do_aligned(struct worker *worker, struct heap_block *block)
{
	size_t size = some_size(worker);
	size_t alignment = (size_t)1 << below(worker, 31);
	void *memory;

	say(worker, "aligned_alloc %zu %zu", alignment, size);
	begin_operation(worker);
	memory = vms_heap_aligned_alloc(run.heap, alignment, size);
	if (!succeeded(worker, memory))
		return;
	expect(worker, (uintptr_t)memory % alignment == 0, "not aligned");
	adopt(worker, block, memory, size);
}

static void check(struct worker *worker, const struct heap_block *block)
{
	expect(worker, heap_block_is_right(block), "the contents differ");
}

static void do_realloc(struct worker *worker, struct heap_block *block)
{
	size_t size = some_change(worker, block->size);
	void *memory;

	say(worker, "realloc %zu to %zu", block->size, size);
	begin_operation(worker);
	memory = vms_heap_realloc(run.heap, block->memory, size);
	if (succeeded(worker, memory)) {
		atomic_fetch_add(&run.moved, memory != block->memory);
		block->memory = memory;
		heap_block_resize(block, size);
	}
	check(worker, block);
	heap_block_fill(block, random_next(&worker->random));
}

void do_free(struct worker *worker, struct heap_block *block)
{
	say(worker, "free %zu", block->size);
	check(worker, block);
	begin_operation(worker);
	vms_heap_free(run.heap, block->memory);
	(void)succeeded(worker, true);
	block->memory = NULL;
}

/* The program may write to all of the usable size. */
static void do_usable(struct worker *worker, struct heap_block *block)
{
	size_t usable = vms_heap_usable_size(run.heap, block->memory);

	say(worker, "usable_size of %zu", block->size);
	expect(worker, usable >= block->size, "less than was asked for");
	memset(block->memory + block->size, 0xa5,
	       vmsi_min(usable - block->size, 65536));
	block->memory[usable - 1] = block->size == usable ?
		block->memory[usable - 1] : 0x5a;
	check(worker, block);
}

static void do_hand_over(struct worker *worker, struct heap_block *block)
{
	size_t i = below(worker, BLOCKS);
	struct heap_block other;

	pthread_mutex_lock(&run.lock);
	other = run.handed[i];
	run.handed[i] = *block;
	pthread_mutex_unlock(&run.lock);
	*block = other;
}

static void do_collect(struct worker *worker)
{
	unsigned flags = below(worker, 4) ? 0 : VMS_HEAP_COLLECT_ALL;

	say(worker, "collect %u", flags);
	/* Let some memory come of age. */
	if (below(worker, 4) == 0)
		usleep(8000);
	begin_operation(worker);
	(void)vms_heap_collect(run.heap, flags);
	(void)succeeded(worker, true);
}

/* Return how many bytes of the heap the kernel lists as writable. */
static size_t writable_bytes(void)
{
	const uintptr_t base =
		(uintptr_t)vms_space_base(vms_heap_space(run.heap));
	const size_t length = vms_space_size(vms_heap_space(run.heap));
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	size_t bytes = 0;
	char rights[5], line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 &&
		    start - base < length && rights[1] == 'w')
			bytes += end - start;
	if (maps)
		(void)fclose(maps);
	return bytes;
}

/*
 * With one thread and no faults, the charge is exact after each operation: it is
 * what slots and blocks have, and what the kernel lists as writable.
 */
void check_charge(struct worker *worker)
{
	/* vms_heap_get_stats counts resident pages, which takes long. */
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	const char *broken = vmsi_heap_check_charge(run.heap);

	expect(worker, vms_space_get_stats(vms_heap_space(run.heap),
					   &stats) == 0, "refused");
	if (broken)
		wrong(worker, broken);
	/*
	 * Reading all mappings takes long, so it is done for every eighth operation.
	 */
	expect(worker, below(worker, 8) || stats.committed == writable_bytes(),
	       "what is charged is not what can be written");
	expect(worker, run.heap->ages.retained == 0 || !run.none_retained,
	       "something is retained");
}

static void do_stats(struct worker *worker)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	say(worker, "stats");
	expect(worker, vms_heap_get_stats(run.heap, &stats) == 0, "refused");
	expect(worker, stats.committed_peak >= stats.committed &&
	       stats.committed <= stats.reserved, "figures that cannot be");
}

void operate(struct worker *worker)
{
	static void (*const ways[])(struct worker *, struct heap_block *) = {
		do_malloc, do_malloc, do_calloc, do_aligned,
	};
	static void (*const uses[])(struct worker *, struct heap_block *) = {
		do_realloc, do_realloc, do_realloc, do_realloc, do_free,
		do_free, do_usable, do_hand_over,
	};
	struct heap_block *block = &worker->blocks[below(worker, BLOCKS)];

	if (below(worker, 40) == 0)
		do_collect(worker);
	else if (below(worker, 100) == 0)
		do_stats(worker);
	else if (!block->memory)
		ways[below(worker, sizeof(ways) / sizeof(ways[0]))](worker,
								    block);
	else
		uses[below(worker, sizeof(uses) / sizeof(uses[0]))](worker,
								    block);
}
