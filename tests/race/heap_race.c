/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "../model/heap_blocks.h"
#include "heap/check.h"
#include "heap/heap.h"
#include "space/inside.h"

/*
 * Many threads on one heap: some make, resize and free blocks and give them to
 * each other; the others collect, read figures, ask about blocks and fork.
 *
 *	heap_race [--seconds SECONDS] [--seed SEED]
 *
 * The seed can also be given as VMS_SEED.
 */

#define BLOCKS 8
#define SHELF 16

static uint64_t seed;
static double seconds = 3;
static vms_heap *heap;
static atomic_bool stop;
static _Atomic(const char *) failure;

/* Blocks that one thread leaves for another. */
static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static struct heap_block shelf[SHELF];

/* A block that is not freed, for threads that only ask. */
static void *_Atomic asked;

struct thread {
	pthread_t id;
	struct random random;
	unsigned long count;     /* of what it did */
	struct heap_block blocks[BLOCKS];
};

/* cmocka's asserts may be used in the main thread only. */
static void expect(bool condition, const char *what)
{
	const char *none = NULL;

	if (condition)
		return;
	(void)atomic_compare_exchange_strong(&failure, &none, what);
	atomic_store(&stop, true);
}

static size_t below(struct thread *thread, size_t limit)
{
	return random_below(&thread->random, limit);
}

/* --- threads that have blocks --------------------------------------------- */

static size_t some_size(struct thread *thread)
{
	size_t log = below(thread, 20) ? 14 + below(thread, 9) : 25;

	return ((size_t)1 << log) + below(thread, 9000);
}

static void make(struct thread *thread, struct heap_block *block)
{
	size_t size = some_size(thread);
	bool zeroed = below(thread, 3) == 0;
	void *memory = zeroed ? vms_heap_calloc(heap, size, 1) :
				vms_heap_malloc(heap, size);

	expect(memory, "an allocation was refused");
	if (!memory)
		return;
	expect(!zeroed || heap_block_is_zero(memory, size, 4096), "not zero");
	*block = (struct heap_block){ .memory = memory, .size = size,
				      .seed = random_next(&thread->random) };
	heap_block_fill(block, random_next(&thread->random));
}

static void change(struct thread *thread, struct heap_block *block)
{
	size_t size = below(thread, 2) ? some_size(thread) :
					 block->size + below(thread, 4096);
	void *memory = vms_heap_realloc(heap, block->memory, size);

	expect(memory, "a realloc was refused");
	if (!memory)
		return;
	block->memory = memory;
	heap_block_resize(block, size);
	expect(heap_block_is_right(block), "the contents differ");
	heap_block_fill(block, random_next(&thread->random));
}

static void drop(struct heap_block *block)
{
	if (block->memory)
		expect(heap_block_is_right(block), "the contents differ");
	vms_heap_free(heap, block->memory);
	block->memory = NULL;
}

static void exchange(struct thread *thread, struct heap_block *block)
{
	struct heap_block mine = *block;
	size_t i = below(thread, SHELF);

	pthread_mutex_lock(&shelf_lock);
	*block = shelf[i];
	shelf[i] = mine;
	pthread_mutex_unlock(&shelf_lock);
}

static void *run_worker(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		struct heap_block *block = &thread->blocks[below(thread,
								 BLOCKS)];

		if (!block->memory)
			make(thread, block);
		else if (below(thread, 2))
			change(thread, block);
		else if (below(thread, 2))
			exchange(thread, block);
		else
			drop(block);
	}
	for (int i = 0; i < BLOCKS; i++)
		drop(&thread->blocks[i]);
	return NULL;
}

/* --- the others ----------------------------------------------------------- */

static void *run_collector(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		(void)vms_heap_collect(heap, below(thread, 8) ?
					     0 : VMS_HEAP_COLLECT_ALL);
		usleep(300);
	}
	return NULL;
}

static void *run_reader(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		struct vms_heap_stats stats = { .struct_size = sizeof(stats) };
		void *block = atomic_load(&asked);

		expect(vms_heap_get_stats(heap, &stats) == 0, "no figures");
		expect(vms_heap_owns(heap, block) &&
		       vms_heap_usable_size(heap, block) >= 100000,
		       "a block that stays is not known");
		expect(!vmsi_heap_check(heap), "an invariant is broken");
		usleep(200);
	}
	return NULL;
}

static int use_in_child(void)
{
	void *small = vms_heap_malloc(heap, 100000);
	void *large = vms_heap_calloc(heap, 1, 5 << 20);

	small = small ? vms_heap_realloc(heap, small, 3 << 20) : NULL;
	vms_heap_free(heap, large);
	vms_heap_free(heap, small);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	return small && large && !vmsi_heap_check(heap) ? 0 : 1;
}

static void *run_forker(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			alarm(3600);
			_exit(use_in_child());
		}
		expect(child > 0 && waitpid(child, &status, 0) == child &&
		       status == 0, "a child could not use its heap");
		usleep(5000);
	}
	return NULL;
}

/* --- program -------------------------------------------------------------- */

static void run_threads(void)
{
	static void *(*const kinds[])(void *) = {
		run_worker, run_worker, run_worker, run_collector, run_reader,
		run_forker,
	};
	enum { COUNT = sizeof(kinds) / sizeof(kinds[0]) };
	static struct thread threads[COUNT];
	struct timespec duration = { .tv_sec = (time_t)seconds };

	duration.tv_nsec = (long)((seconds - (double)duration.tv_sec) * 1e9);
	for (unsigned i = 0; i < COUNT; i++) {
		threads[i].random.state = seed + 7919 * (i + 1);
		assert_int_equal(pthread_create(&threads[i].id, NULL, kinds[i],
						&threads[i]), 0);
	}
	nanosleep(&duration, NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	print_message("# %lu %lu %lu by workers, %lu collections, %lu reads, "
		      "%lu forks\n", threads[0].count, threads[1].count,
		      threads[2].count, threads[3].count, threads[4].count,
		      threads[5].count);
	/* Every kind of thread must have done something. */
	for (unsigned i = 0; i < COUNT; i++)
		assert_true(threads[i].count > 0);
}

static void expect_nothing_left(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };
	const char *wrong;

	for (int i = 0; i < SHELF; i++)
		drop(&shelf[i]);
	vms_heap_free(heap, asked);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(vms_heap_get_stats(heap, &stats), 0);
	assert_int_equal(stats.blocks, 0);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.retained, 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(stats.resident, 0);
	wrong = vmsi_heap_check(heap);
	if (!wrong)
		wrong = vmsi_space_check(vms_heap_space(heap));
	if (wrong)
		fail_msg("%s", wrong);
}

static void contents_and_figures_are_never_wrong(void **state)
{
	const struct vms_heap_options options = {
		.struct_size = sizeof(options),
		.retain = (size_t)64 << 20,
		.reclaimable_after = 1,
		.give_back_after = 2,
	};

	(void)state;
	heap = vms_heap_open(&options);
	assert_non_null(heap);
	atomic_store(&asked, vms_heap_malloc(heap, 100000));
	assert_non_null(asked);
	run_threads();
	if (failure)
		fail_msg("%s", failure);
	expect_nothing_left();
	vms_heap_close(heap);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_and_figures_are_never_wrong),
	};
	const char *given = getenv("VMS_SEED");

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
		else
			return 2;
	}
	print_message("# seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests_name("heap_race", tests, NULL, NULL);
}
