/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_BUDGET_SWEEP_H
#define VMSI_TESTS_BUDGET_SWEEP_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "host_fault.h"

/* Budgets for sweeps that fail each host call in turn. */

/* No operation makes as many host calls. */
#define CALLS_MAX 300

static const struct vms_budget_options shared_options = {
	.struct_size = sizeof(struct vms_budget_options),
	.name = "swept",
	.limit = 1000,
	.policy = VMS_COMMIT_STRICT,
	.flags = VMS_BUDGET_SHARED,
};

static inline vms_budget *open_private(void)
{
	return vms_budget_open(NULL);
}

static inline vms_budget *open_shared(void)
{
	return vms_budget_open(&shared_options);
}

static inline size_t charged(vms_budget *budget)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	return stats.committed;
}

#endif
