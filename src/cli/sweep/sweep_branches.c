/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_trunk.h"

#include <stdlib.h>

/*
 * A worker goes through the stops of all trunks, each of which is the beginning of a
 * trial. Trials whose verdict waits for the end of their trunk are kept aside.
 */

struct waiting {
	struct vmsi_sweep_result *result;
	enum vmsi_sweep_verdict verdict;
};

struct work {
	struct vmsi_sweep_branches *branches;
	struct vmsi_sweep_trunk trunk;
	struct waiting *waiting;
	size_t count;
	/* Trunks that did not come to a stop, or not to the end of a good run. */
	unsigned failures;
	size_t tried, bad; /* branches */
};

/* So many are enough to leave the rest to runs from the beginning. */
#define FAILURES_MOST 3

/*
 * Whether branches are worth their while: what is bad in one is tried twice, and where
 * most are, runs from the beginning alone are faster.
 */
static bool is_worth_it(const struct work *work)
{
	return work->failures < FAILURES_MOST &&
		(work->bad < 8 || work->bad < work->tried / 2);
}

/*
 * End the trunk, and give its trials their verdicts. Of a sweep that is interrupted no
 * trunk comes to its end, and what was seen in its branches counts.
 */
static void end_trunk(struct work *work)
{
	const bool was_good = vmsi_sweep_trunk_end(&work->trunk);

	work->failures += !was_good;
	for (size_t i = 0; i < work->count; i++)
		if (was_good || vmsi_sweep_interrupted())
			work->waiting[i].result->verdict =
				work->waiting[i].verdict;
	work->count = 0;
}

/* The trial again, by a program of its own, while the trunk waits. */
static void try_anew(struct work *work, const struct vmsi_failing_choice *choice,
		     struct vmsi_sweep_result *result)
{
	struct vmsi_sweep_worker *worker = work->trunk.worker;
	struct vmsi_failing_choice own = *choice;

	own.stop = 0;
	own.nth = 1;
	worker->forks = false;
	vmsi_sweep_worker_try(worker, &own, result);
	worker->forks = true;
}

static void try_one(struct work *work, const struct vmsi_sweep_stop *stop)
{
	struct vmsi_sweep_result *result = &work->branches->results[stop->trial];
	struct vmsi_sweep_result seen = *result;
	const enum vmsi_sweep_branch branch =
		vmsi_sweep_trunk_try(&work->trunk, &stop->choice,
				     work->branches->patience, &seen);

	work->tried += branch == VMSI_SWEEP_BRANCHED;
	if (branch == VMSI_SWEEP_BRANCHED &&
	    (seen.verdict == VMSI_SWEEP_SAME ||
	     seen.verdict == VMSI_SWEEP_FAILED ||
	     seen.verdict == VMSI_SWEEP_WENT_ON)) {
		work->waiting[work->count++] =
			(struct waiting){ result, seen.verdict };
		seen.verdict = result->verdict;
		*result = seen;
	} else if (branch == VMSI_SWEEP_BRANCHED && !vmsi_sweep_interrupted()) {
		work->bad++;
		try_anew(work, &stop->choice, result);
	} else if (branch == VMSI_SWEEP_ENDED && work->trunk.runs) {
		work->failures++;
		end_trunk(work);
	}
}

void vmsi_sweep_branches_leave(struct vmsi_sweep_branches *branches)
{
	__atomic_store_n(branches->next, branches->count, __ATOMIC_RELAXED);
}

void vmsi_sweep_branches_try(struct vmsi_sweep_worker *worker,
			     struct vmsi_sweep_branches *branches)
{
	struct work work = {
		.branches = branches, .trunk = { .worker = worker },
		.waiting = calloc(branches->count, sizeof *work.waiting),
	};

	while (work.waiting && is_worth_it(&work) &&
	       !vmsi_sweep_interrupted()) {
		const size_t i = __atomic_fetch_add(branches->next, 1,
						    __ATOMIC_RELAXED);

		if (i >= branches->count)
			break;
		/* It cannot go back. */
		if (work.trunk.runs &&
		    branches->list[i].choice.stop <= work.trunk.at)
			end_trunk(&work);
		try_one(&work, &branches->list[i]);
		__atomic_fetch_add(branches->done, 1, __ATOMIC_RELAXED);
	}
	if (work.trunk.runs)
		end_trunk(&work);
	/* Another worker in place of this one would see the same. */
	vmsi_sweep_branches_leave(branches);
	free(work.waiting);
}
