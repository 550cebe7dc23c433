/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_WORKER_H
#define VMSI_CLI_SWEEP_WORKER_H

#include <sys/types.h>

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_leaks.h"
#include "failing/failing.h"

/*
 * A worker is a process that makes one trial after the other. By the preload library
 * the program has a memory with the worker, where it reads what is to fail. The worker
 * is the subreaper of all that the program starts, so that nothing outlives a trial.
 *
 * With a fork server the program was started once, and has been waiting since before
 * its main function:
 *
 *    sweep -- worker -- server (the program) -- child, forked for a trial
 *
 * or, where trials have their beginning together (sweep_trunk.h),
 *
 *    sweep -- worker -- server -- trunk -- branch, forked for a trial
 */
struct vmsi_sweep_worker {
	const struct vmsi_sweep_options *options;
	const struct vmsi_sweep_output *output;
	const char *library;  /* to preload */
	double timeout;       /* seconds */
	bool forks;           /* by a server */
	struct vmsi_failing_memory *memory;
	int file;             /* of the memory */
	pid_t server;         /* 0: none */
	int socket;
	pid_t awaited;        /* the child in which something fails; 0: none runs */
	struct vmsi_sweep_leaks *leaks; /* those that are known; NULL: not looked for */
	bool learns;          /* leaks become known ones */
	int report;           /* of leaks */
};

/*
 * Make this process a worker. The first fields are set; file is a memory that is
 * recorded to, or -1 for one of its own. Returns 0 or -errno.
 */
int vmsi_sweep_worker_begin(struct vmsi_sweep_worker *worker);

/* Make a trial, and fill in the result. */
void vmsi_sweep_worker_try(struct vmsi_sweep_worker *worker,
			   const struct vmsi_failing_choice *choice,
			   struct vmsi_sweep_result *result);

/*
 * Parts of that: start the server where there is none; wait for a message of the server
 * or of a trunk; have the choice in the memory, and nothing that came of it yet; put into
 * the result what came of it, after a child of a child was killed that is left.
 */
int vmsi_sweep_worker_serve(struct vmsi_sweep_worker *worker);

/*
 * Returns 1; 0: it is too late, or the child that is awaited waits for itself for ever;
 * -ECONNRESET: the server has ended.
 */
int vmsi_sweep_worker_await(const struct vmsi_sweep_worker *worker, double until,
			    struct vmsi_failing_message *message);

/*
 * Wait for the message that tells the end of a child that was killed, also where the
 * sweep is interrupted. Returns 1, or -ECONNRESET where it does not come.
 */
int vmsi_sweep_worker_await_killed(const struct vmsi_sweep_worker *worker,
				   struct vmsi_failing_message *message);
void vmsi_sweep_worker_choose(const struct vmsi_sweep_worker *worker,
			      const struct vmsi_failing_choice *choice);
void vmsi_sweep_worker_take(const struct vmsi_sweep_worker *worker, int output,
			    bool in_time, struct vmsi_sweep_result *result);

/* End the server. */
void vmsi_sweep_worker_end(struct vmsi_sweep_worker *worker);

/* Open a memory in which stacks are recorded. Returns a descriptor or -errno. */
int vmsi_sweep_memory_open(size_t length);

#endif
