/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_BUDGET_FIXTURE_H
#define VMSI_TESTS_BUDGET_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <vmspace.h>

/* Budgets for the tests of src/budget. */

#define ERRNO_BEFORE 4711

static inline vms_budget *open_budget(size_t limit,
				      enum vms_commit_policy policy,
				      vms_budget *parent)
{
	const struct vms_budget_options options = {
		.struct_size = sizeof(options),
		.limit = limit,
		.policy = policy,
		.parent = parent,
	};
	vms_budget *budget = vms_budget_open(&options);

	assert_non_null(budget);
	return budget;
}

static inline vms_budget *open_strict(size_t limit, vms_budget *parent)
{
	return open_budget(limit, VMS_COMMIT_STRICT, parent);
}

static inline vms_budget *open_shared(size_t limit,
				      enum vms_commit_policy policy)
{
	const struct vms_budget_options options = {
		.struct_size = sizeof(options),
		.name = "shared",
		.limit = limit,
		.policy = policy,
		.flags = VMS_BUDGET_SHARED,
	};
	vms_budget *budget = vms_budget_open(&options);

	assert_non_null(budget);
	return budget;
}

static inline void close_budget(vms_budget *budget)
{
	assert_int_equal(vms_budget_close(budget), 0);
}

static inline struct vms_budget_stats stats_of(vms_budget *budget)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	return stats;
}

/* Charge; it must succeed and keep errno. */
static inline void charge(vms_budget *budget, size_t bytes)
{
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_budget_charge(budget, bytes), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

static inline void uncharge(vms_budget *budget, size_t bytes)
{
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_budget_uncharge(budget, bytes), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

/* Check that a call returns -1 with this errno. */
#define assert_refused(call, wanted) \
	do { \
		errno = 0; \
		assert_int_equal((call), -1); \
		assert_int_equal(errno, (wanted)); \
	} while (0)

#endif
