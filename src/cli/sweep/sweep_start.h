/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_START_H
#define VMSI_CLI_SWEEP_START_H

#include "cli/sweep/sweep_worker.h"

/*
 * Start the program with the preload library and the worker's memory; with a socket
 * it becomes a server, -1: it runs. Returns 0, or the -errno of fork or execve.
 */
int vmsi_sweep_start(const struct vmsi_sweep_worker *worker, int input,
		     int output, int socket, pid_t *child);

/* Start the worker's server. Returns 0 or -errno. */
int vmsi_sweep_start_server(struct vmsi_sweep_worker *worker);

/* Have the server fork a child, or a trunk, with these streams. Returns 0 or -errno. */
int vmsi_sweep_send_streams(int socket, enum vmsi_failing_command command,
			    int input, int output);

/* A descriptor that becomes readable when a child has ended; -1: there is none. */
int vmsi_sweep_watch(pid_t child);

/* Kill all children of this process but one, and theirs, and wait for them. */
void vmsi_sweep_end_others(pid_t but);

#endif
