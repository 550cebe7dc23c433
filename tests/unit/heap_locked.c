/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "heap_fixture.h"

/* mlockall(MCL_FUTURE) locks all memory that a heap commits. */

static bool may_lock;

static int open_locked(void **state)
{
	const struct vms_heap_options options = {
		.struct_size = sizeof(options), .reserve = GIB,
		.retain = *state ? VMS_HEAP_RETAIN_NONE : 0,
	};

	may_lock = mlockall(MCL_FUTURE) == 0;
	heap = vms_heap_open(&options);
	if (may_lock && heap)
		return 0;
	print_message("# SKIP no right to lock\n");
	/* The kernel refuses memory that would exceed the limit of locked memory. */
	may_lock = false;
	return !heap && errno == ENOMEM ? open_heap(state) : 0;
}

static int close_locked(void **state)
{
	(void)munlockall();
	return close_heap(state);
}

/* The kernel gives no locked memory back; everything else works as without locks. */
static void blocks_are_as_without_locks(void **state)
{
	(void)state;
	if (!may_lock)
		return;
	for (int round = 0; round < 3; round++) {
		unsigned char *a = make_filled(100 * KIB);
		unsigned char *b = make_filled(5 * MIB);
		unsigned char *c = make_zero(8 * MIB);

		assert_zero(c, 8 * MIB);
		fill(c, 8 * MIB);
		a = resize(a, 3 * MIB);
		assert_filled(a, 100 * KIB);
		b = resize(b, 9 * MIB);
		b = resize(b, 3 * MIB);
		assert_filled(b, 3 * MIB);
		c = resize(c, 20 * MIB);
		assert_filled(c, 8 * MIB);
		drop(a);
		drop(b);
		drop(c);
		c = make_zero(100 * KIB);
		assert_zero(c, 100 * KIB);
		memset(c, 0xff, 100 * KIB);
		drop(c);
	}
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(stats_now().live, 0);
}

/* Memory that was unlocked goes back like any other. */
static void memory_goes_back_when_it_is_unlocked(void **state)
{
	(void)state;
	if (!may_lock)
		return;
	drop(make_filled(5 * MIB));
	drop(make_filled(100 * KIB));
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(munlockall(), 0);
	(void)vms_munlock(vms_heap_space(heap), (void *)heap->layout.start,
			  heap->layout.length);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(stats_now().resident, 0);
}

#define LOCKED(test, none) \
	{ #test, test, open_locked, close_locked, (void *)(uintptr_t)(none) }

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCKED(blocks_are_as_without_locks, 0),
		LOCKED(blocks_are_as_without_locks, 1),
		LOCKED(memory_goes_back_when_it_is_unlocked, 0),
		LOCKED(memory_goes_back_when_it_is_unlocked, 1),
	};

	return cmocka_run_group_tests_name("heap_locked", tests, NULL, NULL);
}
