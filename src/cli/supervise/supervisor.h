/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SUPERVISOR_H
#define VMSI_CLI_SUPERVISE_SUPERVISOR_H

#include "cli/supervise/options.h"

/*
 * Start the program and supervise it until the last process of its group has
 * ended. events and witness are sockets: struct vmsi_job_event (events.h) goes to the job
 * through the one, and the job asks the witness through the other.
 */
void vmsi_supervisor_run(struct vmsi_supervise_options *options,
			 const char *path, char **arguments, int events,
			 int witness);

#endif
