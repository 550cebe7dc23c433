/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REFUSALS_H
#define VMSI_CLI_REFUSALS_H

#include "cli/commit/audit.h"
#include "cli/commit/commit_budgets.h"
#include "cli/commit/commit_figures.h"

/*
 * What the kernel would refuse to processes that run, by what they hold now. Nothing
 * here makes a system call.
 */

#define VMSI_REFUSED_ALL   0x1u /* whatever it asks for, be it a page */
#define VMSI_REFUSED_FORK  0x2u /* the child is charged what the parent holds */
/*
 * To be started again: what it has mapped with MAP_NORESERVE, at no charge, is charged
 * when it is mapped in mode 2, and what it holds else is given back when it ends.
 */
#define VMSI_REFUSED_START 0x4u

struct vmsi_refusal {
	const struct vmsi_commit_holder *holder;
	/* The largest request that it is granted; an error where there is no bound. */
	struct vmsi_balance may_ask;
	unsigned refused; /* VMSI_REFUSED_* */
};

struct vmsi_refusals {
	struct vmsi_refusal *list; /* those that are refused something, then the others;
				      of either, those that hold most first */
	size_t count;
	size_t refused_count;
};

struct vmsi_refusal
vmsi_refusal_of(const struct vmsi_commit_figures *figures,
		const struct vmsi_commit_holder *holder);

/*
 * Those of all holders of an audit, which the list points into. Returns 0 or -ENOMEM.
 * The caller frees them in either case.
 */
int vmsi_refusals_read(struct vmsi_refusals *refusals,
		       const struct vmsi_commit_figures *figures,
		       const struct vmsi_audit *audit);
void vmsi_refusals_free(struct vmsi_refusals *refusals);

/* What a budget's own limit still grants; 0 where it cannot be read, or has none. */
uint64_t vmsi_refusals_left_of_budget(const struct vmsi_budget_seen *budget);

#endif
