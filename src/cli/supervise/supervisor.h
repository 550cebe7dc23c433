/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SUPERVISOR_H
#define VMSI_CLI_SUPERVISE_SUPERVISOR_H

#include "cli/supervise/options.h"

/* What the supervisor tells the job. */
struct vmsi_job_event {
	enum {
		VMSI_JOB_STARTED, /* number: of the first process */
		VMSI_JOB_FAILED,  /* number: exit status; it was told why */
		VMSI_JOB_STOPPED, /* number: status, as of waitpid(2) */
		VMSI_JOB_ENDED,   /* number: status; others live on */
		VMSI_JOB_ALL_ENDED, /* number: status; nothing is left */
	} event;
	int number;
};

/*
 * Supervise the program until the last process of its group has ended. The job
 * reads events from the one socket, and asks the witness through the other.
 */
void vmsi_supervisor_run(struct vmsi_supervise_options *options,
			 const char *path, char **arguments, int events,
			 int witness);

#endif
