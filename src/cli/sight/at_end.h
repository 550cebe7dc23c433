/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_AT_END_H
#define VMSI_CLI_AT_END_H

#include <sys/types.h>

#include "cli/command.h"

/*
 * Run a program and look at it when it ends: its first thread waits in its end, and
 * all its memory is still there. A program whose first thread ends before others is
 * looked at then.
 */

struct vmsi_at_end {
	char *const *arguments; /* the program and its arguments, then NULL */
	/* Called once, with the number of the process that waits. */
	void (*look)(void *context, pid_t pid);
	void *context;
	int status;             /* of waitpid(2), when it has ended */
};

/*
 * Returns VMSI_EXIT_OK and the status, or the exit status of the command after an
 * error message.
 */
enum vmsi_exit vmsi_at_end_run(struct vmsi_at_end *run);

#endif
