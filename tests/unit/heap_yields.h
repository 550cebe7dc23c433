/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_HEAP_YIELDS_H
#define VMSI_TESTS_HEAP_YIELDS_H

#include <sys/mman.h>

#include "heap_fixture.h"

/* A heap under a budget, to test when its retained memory goes back. */

#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define LIMIT (64 * MIB)

static vms_budget *budget;

static inline vms_budget *open_budget(size_t limit, vms_budget *parent,
				      unsigned flags)
{
	vms_budget *opened = vms_budget_open(&(struct vms_budget_options){
		.struct_size = sizeof(struct vms_budget_options),
		.limit = limit,
		.policy = VMS_COMMIT_STRICT,
		.parent = parent,
		.flags = flags,
	});

	assert_non_null(opened);
	return opened;
}

static inline vms_heap *open_heap_under(vms_budget *above)
{
	vms_heap *opened = vms_heap_open(&(struct vms_heap_options){
		.struct_size = sizeof(struct vms_heap_options),
		.budget = above,
		/* No memory goes back by age during a test. */
		.reclaimable_after = VMS_HEAP_NEVER,
		.give_back_after = VMS_HEAP_NEVER,
	});

	assert_non_null(opened);
	return opened;
}

static inline vms_space *open_space_under(vms_budget *above)
{
	vms_space *opened = vms_space_open(GIB, &(struct vms_space_options){
		.struct_size = sizeof(struct vms_space_options),
		.commit_policy = VMS_COMMIT_ALWAYS,
		.budget = above,
	});

	assert_non_null(opened);
	return opened;
}

static inline int open_both(void **state)
{
	(void)state;
	budget = open_budget(LIMIT, NULL, 0);
	heap = open_heap_under(budget);
	return 0;
}

static inline int open_unlimited(void **state)
{
	(void)state;
	heap = open_heap_under(NULL);
	return 0;
}

static inline int close_both(void **state)
{
	int status = close_heap(state);

	if (budget && vms_budget_close(budget) != 0)
		status = -1;
	budget = NULL;
	return status;
}

#define WITH_BUDGET(test) \
	cmocka_unit_test_setup_teardown(test, open_both, close_both)
#define WITHOUT_BUDGET(test) \
	cmocka_unit_test_setup_teardown(test, open_unlimited, close_both)

static inline size_t retained_by(vms_heap *other)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_heap_get_stats(other, &stats), 0);
	return stats.retained;
}

static inline size_t refusals_of(vms_budget *of)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_budget_get_stats(of, &stats), 0);
	return stats.refusals;
}

/* Allocate, fill and free a block, so that the heap retains its memory. */
static inline void retain(vms_heap *by, size_t size)
{
	unsigned char *block = vms_heap_malloc(by, size);

	assert_non_null(block);
	fill(block, size);
	vms_heap_free(by, block);
	assert_true(retained_by(by) >= size);
}

#endif
