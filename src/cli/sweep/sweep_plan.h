/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_PLAN_H
#define VMSI_CLI_SWEEP_PLAN_H

#include "cli/sweep/sweep_table.h"
#include "cli/sweep/sweep_trunk.h"
#include "cli/sweep/sweep_worker.h"

/* What the workers have together; in shared memory. */
struct vmsi_sweep_progress {
	size_t next; /* trial that no worker has begun */
	size_t done;
};

/* An allocation: the nth from a stack of the table. */
struct vmsi_sweep_trial {
	size_t stack;
	uint64_t nth;
};

/* All of the sweep of allocations: sweep_learn.c fills in what the good runs tell. */
struct vmsi_sweep_plan {
	const struct vmsi_sweep_options *options;
	const char *library; /* to preload */
	struct vmsi_sweep_output output;
	struct vmsi_sweep_table table;
	struct vmsi_sweep_leaks *leaks; /* of the good runs; NULL: not looked for */
	struct vmsi_failing_memory *record;
	int record_file;
	bool forks;
	double timeout;
	double patience; /* with a branch: seconds */
	uint64_t made; /* allocations of the good run */
	struct vmsi_sweep_progress *progress;
	struct vmsi_sweep_trial *trials;
	struct vmsi_sweep_result *results;
	size_t count;
	struct vmsi_sweep_branches branches; /* those that are tried so */
};

/*
 * Make the good runs. Returns VMSI_EXIT_OK, or the exit status after an error message.
 */
enum vmsi_exit vmsi_sweep_learn(struct vmsi_sweep_plan *sweep);

/* A worker that has not begun. */
struct vmsi_sweep_worker vmsi_sweep_worker_of(const struct vmsi_sweep_plan *sweep);

/* What counts in all runs. */
struct vmsi_failing_choice vmsi_sweep_choice_of(const struct vmsi_sweep_plan *sweep);

/* The kernel ends a worker where the sweep is killed by SIGKILL. */
pid_t vmsi_sweep_fork_worker(void);

#endif
