/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_TRUNK_H
#define VMSI_CLI_SWEEP_TRUNK_H

#include "cli/sweep/sweep_worker.h"

/*
 * A trunk is a run in which nothing fails. It stops before each allocation that is to
 * fail, forks a branch in which that fails, and goes on when the branch has ended. The
 * branch shares nothing with it that could not be put back (src/failing/keep.c); where
 * something else than the trunk's memory has changed after all, such as a file that the
 * program looks at again, the trunk does not end as a good run does: then its trials
 * count for nothing. Nor does what is bad in a branch: that trial is made again, by a
 * program of its own.
 */
struct vmsi_sweep_trunk {
	struct vmsi_sweep_worker *worker;
	bool runs;    /* there is one */
	bool waits;   /* before an allocation */
	uint64_t at;  /* which is this, or it has been told to stop there */
	int input, output;
	int status;   /* of its end, as of waitpid(2) */
	bool in_time; /* it has ended by itself */
};

enum vmsi_sweep_branch {
	VMSI_SWEEP_BRANCHED, /* the result is filled in */
	VMSI_SWEEP_UNABLE,   /* no trial was made; others may be */
	VMSI_SWEEP_ENDED,    /* there is no trunk any more */
};

/*
 * Make a trial by a branch; the choice says where to stop. Starts a trunk where there is
 * none, or where that is past the place. patience is in seconds: a branch that takes
 * longer hangs.
 */
enum vmsi_sweep_branch
vmsi_sweep_trunk_try(struct vmsi_sweep_trunk *trunk,
		     const struct vmsi_failing_choice *choice, double patience,
		     struct vmsi_sweep_result *result);

/* Have the trunk come to its end. Returns whether that was the end of a good run. */
bool vmsi_sweep_trunk_end(struct vmsi_sweep_trunk *trunk);

/* --- all trials that can be made so ------------------------------------------------- */

struct vmsi_sweep_branches {
	struct vmsi_sweep_stop {
		struct vmsi_failing_choice choice;
		size_t trial; /* the index of its result */
		size_t turn;  /* of the trunk along which it lies */
	} *list;
	size_t count;
	size_t *next, *done; /* shared by the workers: stops that none has begun */
	struct vmsi_sweep_result *results;
	double patience;
};

/*
 * Make trials that no other worker makes, until there are no more. The result of one
 * that was not made, or that counts for nothing, stays as it was.
 */
void vmsi_sweep_branches_try(struct vmsi_sweep_worker *worker,
			     struct vmsi_sweep_branches *branches);

/* Have no worker begin any more of them. */
void vmsi_sweep_branches_leave(struct vmsi_sweep_branches *branches);

#endif
