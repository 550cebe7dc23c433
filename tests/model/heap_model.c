/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../fault/host_fault.h"
#include "../kernel/random.h"
#include "arguments.h"
#include "heap/check.h"
#include "heap/heap.h"
#include "heap_blocks.h"
#include "space/inside.h"

/*
 * Random calls on a heap and what its blocks must hold, on one thread and on
 * several that hand blocks to each other, while the host fails now and then.
 * Each round has another heap.
 */

#define OPERATIONS_USUAL 12000
#define OPERATIONS_PER_ROUND 300
#define BLOCKS 12
#define THREADS_MOST 3
#define LARGEST_LOG 28

static struct arguments given = { .operations = OPERATIONS_USUAL };

struct worker {
	pthread_t id;
	unsigned number;
	struct random random;
	struct heap_block blocks[BLOCKS];
	char last[120];          /* the operation, for messages */
};

static struct {
	vms_heap *heap;
	struct worker workers[THREADS_MOST];
	unsigned threads;
	bool faults;             /* the host fails in this round */
	bool narrow;             /* addresses may be used up */
	bool strict;             /* the machine may refuse memory */
	bool none_retained;
	/* Blocks on their way from one thread to another. */
	pthread_mutex_t lock;
	struct heap_block handed[BLOCKS];
	unsigned long step, round;
	atomic_ulong refused, moved;
	atomic_bool failed;
	char failure[400];
} run = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

/* cmocka's own asserts are for the test's thread only. */
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

/* The same share of each power of two; often near where another class begins. */
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

/* With vm.overcommit_memory at 2 the machine's own limit may be met. */
static bool machine_is_strict(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
	int mode = 0;

	if (file) {
		if (fscanf(file, "%d", &mode) != 1)
			mode = 0;
		(void)fclose(file);
	}
	return mode == 2;
}

/* --- failing -------------------------------------------------------------- */

/* Faults that the first thread begins reach the others too. */
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

/* Whether a call succeeded; what it may answer otherwise. */
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

static void do_free(struct worker *worker, struct heap_block *block)
{
	say(worker, "free %zu", block->size);
	check(worker, block);
	begin_operation(worker);
	vms_heap_free(run.heap, block->memory);
	(void)succeeded(worker, true);
	block->memory = NULL;
}

/* All of what is told as usable may be written. */
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
	/* So that something has come of age. */
	if (below(worker, 4) == 0)
		usleep(8000);
	begin_operation(worker);
	(void)vms_heap_collect(run.heap, flags);
	(void)succeeded(worker, true);
}

/* Bytes of the heap's addresses that the host lets be written. */
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
 * With one thread and a host that works it is known after each operation: what is
 * charged is what the slots and blocks have, and what the host lets be written;
 * and where nothing is to be retained, nothing is.
 */
static void check_charge(struct worker *worker)
{
	/* The heap's own figures count what is resident, which takes long. */
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	const char *broken = vmsi_heap_check_charge(run.heap);

	expect(worker, vms_space_get_stats(vms_heap_space(run.heap),
					   &stats) == 0, "refused");
	if (broken)
		wrong(worker, broken);
	/* To read all mappings takes longer than all the rest. */
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

static void operate(struct worker *worker)
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

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < OPERATIONS_PER_ROUND && !run.failed; i++) {
		operate(worker);
		if (run.threads == 1 && !run.faults)
			check_charge(worker);
	}
	return NULL;
}

/* --- rounds --------------------------------------------------------------- */

static vms_heap *open_heap(struct random *random)
{
	static const size_t retains[] = {
		0, VMS_HEAP_RETAIN_NONE, (size_t)4 << 20, (size_t)256 << 20,
	};
	const struct vms_heap_options options = {
		.struct_size = sizeof(options),
		.reserve = run.narrow ? (size_t)1 << 30 : 0,
		.retain = retains[random_below(random, 4)],
		.reclaimable_after = random_below(random, 2) ? 1 : 0,
		.give_back_after = random_below(random, 2) ? 2 :
							     VMS_HEAP_NEVER,
		.flags = random_below(random, 3) ? 0 : VMS_HEAP_NO_HUGE_PAGES,
	};

	run.none_retained = options.retain == VMS_HEAP_RETAIN_NONE;
	return vms_heap_open(&options);
}

/* Few holes are allowed now and then, so that there are too many. */
static void limit_holes(struct random *random)
{
	if (random_below(random, 3) == 0) {
		run.heap->runs.holes_most = random_below(random, 4);
		run.none_retained = false;
	}
}

static void begin_round(struct random *random)
{
	run.narrow = random_below(random, 4) == 0;
	run.faults = random_below(random, 2) == 0;
	run.threads = random_below(random, 2) ? 1 : THREADS_MOST;
	run.heap = open_heap(random);
	assert_non_null(run.heap);
	limit_holes(random);
	/* A sanitizer leaves few addresses. */
	if (vms_space_size(vms_heap_space(run.heap)) < (size_t)1 << 40)
		run.narrow = true;
	for (unsigned i = 0; i < THREADS_MOST; i++)
		run.workers[i] = (struct worker){
			.number = i,
			.random.state = random_next(random),
		};
	memset(run.handed, 0, sizeof(run.handed));
}

static void free_blocks(struct heap_block *blocks)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct worker *worker = &run.workers[0];

		if (blocks[i].memory)
			do_free(worker, &blocks[i]);
	}
}

static void expect_nothing_left(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	(void)vms_heap_collect(run.heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(vms_heap_get_stats(run.heap, &stats), 0);
	if (stats.live || stats.blocks || stats.retained || stats.committed ||
	    stats.resident)
		fail_msg("left: live %zu in %zu, retained %zu, committed %zu, "
			 "resident %zu (round %lu, --seed %llu)", stats.live,
			 stats.blocks, stats.retained, stats.committed,
			 stats.resident, run.round,
			 (unsigned long long)given.seed);
}

static void expect_sound_heap(void)
{
	const char *broken = vmsi_heap_check(run.heap);

	if (!broken)
		broken = vmsi_space_check(vms_heap_space(run.heap));
	if (broken)
		fail_msg("%s (round %lu, --seed %llu)", broken, run.round,
			 (unsigned long long)given.seed);
}

static void end_round(void)
{
	if (run.failed)
		fail_msg("%s", run.failure);
	run.faults = false;
	expect_sound_heap();
	for (unsigned i = 0; i < run.threads; i++)
		free_blocks(run.workers[i].blocks);
	free_blocks(run.handed);
	if (run.failed)
		fail_msg("%s", run.failure);
	expect_nothing_left();
	expect_sound_heap();
	vms_heap_close(run.heap);
}

static void contents_and_figures(void **state)
{
	struct random random = { given.seed };

	(void)state;
	fault_install();
	for (; run.step < given.operations; run.round++) {
		begin_round(&random);
		for (unsigned i = 1; i < run.threads; i++)
			assert_int_equal(pthread_create(&run.workers[i].id,
							NULL, work,
							&run.workers[i]), 0);
		(void)work(&run.workers[0]);
		for (unsigned i = 1; i < run.threads; i++)
			pthread_join(run.workers[i].id, NULL);
		run.step += run.threads * OPERATIONS_PER_ROUND;
		end_round();
	}
	fault_remove();
	print_message("# %lu operations, %lu refused, %lu moved\n", run.step,
		      run.refused, run.moved);
	/* A run in which nothing was refused or moved has not tested that. */
	assert_true(run.refused > 0 && run.moved > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_and_figures),
	};

	read_arguments("heap_model", argc, argv, &given);
	run.strict = machine_is_strict();
	return cmocka_run_group_tests_name("heap_model", tests, NULL, NULL);
}
