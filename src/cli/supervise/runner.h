/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_RUNNER_H
#define VMSI_CLI_SUPERVISE_RUNNER_H

#include <stdint.h>

#include "cli/supervise/warn.h"

/*
 * The runner is a process that runs the command of --on-warn for the supervisor.
 * It is no child of the supervisor, which would take the command for an orphan of
 * the group, and it has neither the group's limit nor the terminal.
 */

/* What the command finds in its environment. */
struct vmsi_run_figures {
	enum vmsi_stage stage;
	uint64_t at, committed, limit, peak, refusals;
	int first;            /* the first process; 0: it has ended */
	int asked;            /* whose request it was; 0: nobody's */
	int largest;          /* the process that has most; 0: none */
	uint64_t largest_committed;
	char largest_command[16];
};

/*
 * Start the runner. Returns a socket to it, at whose end it ends, too; or -errno.
 * program is for messages.
 */
int vmsi_runner_start(const char *program, const char *command);

/* Have the command run, and do not wait for it. Returns 0, or -errno. */
int vmsi_runner_run(int runner, const struct vmsi_run_figures *figures);

/* Have it let go of standard error, as the supervisor does. */
void vmsi_runner_let_go(int runner);

#endif
