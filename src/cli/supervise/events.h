/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_EVENTS_H
#define VMSI_CLI_SUPERVISE_EVENTS_H

#include <stdbool.h>

/* The process that starts the program, and lives beside the job: what both know. */

/* A message of it to the job. */
struct vmsi_job_event {
	enum vmsi_job_event_kind {
		VMSI_JOB_STARTED, /* number: pid of the first process */
		VMSI_JOB_FAILED,  /* number: exit status; the error was written */
		VMSI_JOB_STOPPED, /* number: status, as of waitpid(2) */
		VMSI_JOB_ENDED,   /* number: status; others live on */
		VMSI_JOB_ALL_ENDED, /* number: status; nothing is left */
	} event;
	int number;
};

void vmsi_job_tell(int events, enum vmsi_job_event_kind event, int number);

/*
 * Signals to the process group that stop or end the program must not do that to
 * who lives beside the job. He blocks them, and the witness looks at those that are
 * pending.
 */
void vmsi_job_block_signals(void);

/*
 * Close the standard streams: the reader of a pipe sees the end of the program's
 * output only after all processes have closed it. Standard error on demand alone.
 */
void vmsi_job_let_go_of_streams(bool errors_too);

#endif
