/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_JOB_H
#define VMSI_CLI_SUPERVISE_JOB_H

#include "cli/supervise/options.h"

/*
 * Fork the supervisor, and be to the shell what the program would be. Returns the
 * exit status of the program, or dies of its signal.
 */
int vmsi_job_run(struct vmsi_supervise_options *options, const char *path,
		 char **arguments);

#endif
