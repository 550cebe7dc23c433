/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_BUDGETS_H
#define VMSI_CLI_COMMIT_BUDGETS_H

#include <stddef.h>
#include <sys/types.h>

#include "budget/shared.h"
#include "cli/process_name.h"

/*
 * The shared budgets that processes have open. A holder is a process that has
 * one.
 */

struct vmsi_budget_holder {
	pid_t pid;
	char command[VMSI_PROCESS_NAME_SIZE];
};

struct vmsi_budget_seen {
	/* The memfd of the budget: the same in each process that has it open. */
	dev_t device;
	ino_t inode;
	int error; /* of reading its figures; 0 or -errno */
	struct vmsi_budget_figures figures;
	struct vmsi_budget_holder *holders;
	size_t holder_count;
	size_t holder_capacity;
};

struct vmsi_budget_list {
	struct vmsi_budget_seen *budgets;
	size_t count;
	size_t capacity;
	size_t hidden; /* processes that the caller may not look at */
};

/*
 * Look for budgets in every process. Returns 0, or -errno where memory runs
 * out or processes cannot be listed. The list is freed in either case.
 */
int vmsi_budget_list_read(struct vmsi_budget_list *list);
void vmsi_budget_list_free(struct vmsi_budget_list *list);

#endif
