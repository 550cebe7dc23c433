/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "heap_fixture.h"

/* A child has a working copy of the heap, whatever other threads did at fork. */

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return __LINE__; \
	} while (0)

/*
 * Run a function in a child; fail with the line of the condition that does not hold.
 */
static void expect_in_child(int (*holds)(void))
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		int line;

		alarm(3600);
		line = holds();
		/* An exit status has only eight bits, and 0 is success. */
		_exit(line == 0 ? 0 : line % 255 + 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status != 0)
		fail_msg("status %#x (line %% 255 + 1, in the high byte)",
			 status);
}

static bool is_filled(const unsigned char *block, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		if (block[i] != pattern(i))
			return false;
	return true;
}

static unsigned char *small, *large;

static int use_and_free_both(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	CHECK(is_filled(small, 100 * KIB) && is_filled(large, 30 * MIB));
	small = vms_heap_realloc(heap, small, 3 * MIB);
	large = vms_heap_realloc(heap, large, 80 * MIB);
	CHECK(small && is_filled(small, 100 * KIB));
	CHECK(large && is_filled(large, 30 * MIB));
	memset(small, 1, 3 * MIB);
	memset(large, 2, 80 * MIB);
	vms_heap_free(heap, small);
	vms_heap_free(heap, large);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	CHECK(vms_heap_get_stats(heap, &stats) == 0);
	CHECK(stats.live == 0 && stats.committed == 0 && stats.retained == 0);
	CHECK(!vmsi_heap_check(heap));
	vms_heap_close(heap);
	return 0;
}

static void a_child_has_its_own_copy(void **state)
{
	(void)state;
	small = make_filled(100 * KIB);
	large = make_filled(30 * MIB);
	expect_in_child(use_and_free_both);
	assert_filled(small, 100 * KIB);
	assert_filled(large, 30 * MIB);
	assert_int_equal(stats_now().blocks, 2);
	drop(small);
	drop(large);
}

static int keep_what_the_parent_freed(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	atomic_store(&heap->ages.looked_at, 0);
	(void)vms_heap_collect(heap, 0);
	CHECK(vms_heap_get_stats(heap, &stats) == 0);
	/* Parent and child share the pages, so giving them back frees nothing. */
	CHECK(stats.retained == 30 * MIB);
	usleep(100000);
	(void)vms_heap_collect(heap, 0);
	CHECK(vms_heap_get_stats(heap, &stats) == 0);
	CHECK(stats.retained == 0);
	return 0;
}

static void ages_begin_anew_in_a_child(void **state)
{
	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = VMS_HEAP_NEVER, .give_back_after = 50 });
	large = make_filled(30 * MIB);
	drop(large);
	wait_milliseconds(60);
	expect_in_child(keep_what_the_parent_freed);
}

/* posix_spawn makes its child as vfork does, in the parent's memory. */
static void a_vfork_child_leaves_the_heap_alone(void **state)
{
	char name[] = "true";
	char *arguments[] = { name, NULL };
	char *environment[] = { NULL };
	int status = 0;
	pid_t child;

	(void)state;
	large = make_filled(3 * MIB);
	assert_int_equal(posix_spawnp(&child, name, NULL, NULL, arguments,
				      environment), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_filled(large, 3 * MIB);
	large = resize(large, 6 * MIB);
	drop(large);
}

/* --- threads -------------------------------------------------------------- */

static atomic_bool stop;

static void *keep_busy(void *argument)
{
	const size_t size = *(size_t *)argument;

	while (!atomic_load(&stop)) {
		unsigned char *block = vms_heap_malloc(heap, size);

		if (!block)
			continue;
		*block = 1;
		block = vms_heap_realloc(heap, block, 2 * size);
		vms_heap_free(heap, block);
		(void)vms_heap_collect(heap, 0);
	}
	return NULL;
}

static int use_every_lock(void)
{
	unsigned char *blocks[VMSI_RUN_CLASSES];

	CHECK(is_filled(large, 3 * MIB));
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		blocks[i] = vms_heap_malloc(heap, heap->runs.classes[i].size);
		CHECK(blocks[i]);
		blocks[i][0] = 1;
	}
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		blocks[i] = vms_heap_realloc(heap, blocks[i], 2 * MIB);
		CHECK(blocks[i] && blocks[i][0] == 1);
	}
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++)
		vms_heap_free(heap, blocks[i]);
	vms_heap_free(heap, large);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	CHECK(!vmsi_heap_check(heap));
	return 0;
}

/* Other threads may be inside calls and hold locks when one forks. */
static void a_child_never_finds_a_lock_taken(void **state)
{
	static size_t sizes[] = { 64 * KIB, 900 * KIB, 40 * MIB };
	pthread_t threads[3];

	(void)state;
	open_heap_with((struct vms_heap_options){
		.reclaimable_after = 1, .give_back_after = 1 });
	large = make_filled(3 * MIB);
	atomic_store(&stop, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_busy,
						&sizes[i]), 0);
	for (int i = 0; i < 30; i++)
		expect_in_child(use_every_lock);
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	drop(large);
}

/* Close another heap before the fork or after it. */
static void a_child_has_only_the_heaps_that_are_open(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		vms_heap *other = vms_heap_open(NULL);

		assert_non_null(other);
		small = make_filled(100 * KIB);
		large = make_filled(30 * MIB);
		if (i == 0)
			vms_heap_close(other);
		expect_in_child(use_and_free_both);
		if (i == 1)
			vms_heap_close(other);
		drop(small);
		drop(large);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(a_child_has_its_own_copy),
		WITH_HEAP(ages_begin_anew_in_a_child),
		WITH_HEAP(a_vfork_child_leaves_the_heap_alone),
		WITH_HEAP(a_child_never_finds_a_lock_taken),
		WITH_HEAP(a_child_has_only_the_heaps_that_are_open),
	};

	return cmocka_run_group_tests_name("heap_fork", tests, NULL, NULL);
}
