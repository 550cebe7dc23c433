/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SUPERVISOR_H
#define VMSI_CLI_SUPERVISE_SUPERVISOR_H

#include "cli/supervise/options.h"

/* A message of the supervisor to the job. */
struct vmsi_job_event {
	enum {
		VMSI_JOB_STARTED, /* number: pid of the first process */
		VMSI_JOB_FAILED,  /* number: exit status; the error was written */
		VMSI_JOB_STOPPED, /* number: status, as of waitpid(2) */
		VMSI_JOB_ENDED,   /* number: status; others live on */
		VMSI_JOB_ALL_ENDED, /* number: status; nothing is left */
	} event;
	int number;
};

/*
 * Start the program and supervise it until the last process of its group has
 * ended. events and witness are sockets: struct vmsi_job_event goes to the job
 * through the one, and the job asks the witness through the other.
 */
void vmsi_supervisor_run(struct vmsi_supervise_options *options,
			 const char *path, char **arguments, int events,
			 int witness);

#endif
