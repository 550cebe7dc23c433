/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_H
#define VMSI_CLI_COMMIT_H

#include "cli/command.h"
#include "cli/commit/audit.h"
#include "cli/commit/commit_budgets.h"
#include "cli/commit/commit_figures.h"
#include "cli/commit/groups.h"
#include "cli/commit/refusals.h"
#include "text/size.h"

/* What 'vmspace commit' has found, and the two forms in which it is written. */
struct vmsi_commit_report {
	struct vmsi_commit_sources sources;
	struct vmsi_commit_figures figures;
	struct vmsi_budget_list budgets;
	int budgets_error; /* 0; or -errno: processes cannot be listed */
	struct vmsi_commit_group group;
	bool is_audited;
	struct vmsi_audit audit; /* of processes, and what is supposed too */
	int audit_error; /* 0 or -errno */
	struct vmsi_refusals refusals; /* none where nothing is supposed */
};

/* The few lines that say it all. */
void vmsi_commit_write_summary(const struct vmsi_commit_report *report,
			       enum vmsi_size_style style);
/* How the limit is worked out, and what is left of it. */
void vmsi_commit_write_arithmetic(const struct vmsi_commit_report *report,
				  enum vmsi_size_style style);
void vmsi_commit_write_budgets(const struct vmsi_commit_report *report,
			       enum vmsi_size_style style);
/* At most so many processes are named; the others are one row. */
void vmsi_commit_write_audit(const struct vmsi_audit *audit, size_t most,
			     enum vmsi_size_style style);

/* At most so many processes have a row. */
void vmsi_commit_write_refusals(const struct vmsi_commit_report *report, size_t most,
				enum vmsi_size_style style);

/* Returns 0, or -ENOMEM and nothing is written. */
int vmsi_commit_write_json(const struct vmsi_commit_report *report);

extern const struct vmsi_command vmsi_command_commit;

#endif
