/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_H
#define VMSI_CLI_COMMIT_H

#include "commit_budgets.h"
#include "commit_figures.h"
#include "text/size.h"

/* What 'vmspace commit' has found, and the two forms in which it is written. */
struct vmsi_commit_report {
	struct vmsi_commit_sources sources;
	struct vmsi_commit_figures figures;
	struct vmsi_budget_list budgets;
	int budgets_error; /* 0; or -errno: processes cannot be listed */
};

void vmsi_commit_write_text(const struct vmsi_commit_report *report,
			    enum vmsi_size_style style);

/* Returns 0, or -ENOMEM and nothing is written. */
int vmsi_commit_write_json(const struct vmsi_commit_report *report);

/* The word for a policy or mode, as the options have it. */
const char *vmsi_policy_word(enum vms_commit_policy policy);

/* All of them in the order of the enum, and NULL. */
extern const char *const vmsi_policy_words[];

#endif
