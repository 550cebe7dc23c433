/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_H
#define VMSI_CLI_COMMIT_H

#include "cli/command.h"
#include "cli/commit/commit_budgets.h"
#include "cli/commit/commit_figures.h"
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

extern const struct vmsi_command vmsi_command_commit;

#endif
