/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_JOB_H
#define VMSI_CLI_SUPERVISE_JOB_H

#include "cli/supervise/options.h"

/*
 * Fork the supervisor, which starts the program, and act for the shell as the
 * program would. Returns the exit status of the program, or ends this process by
 * its signal.
 */
int vmsi_job_run(struct vmsi_supervise_options *options, const char *path,
		 char **arguments);

#endif
