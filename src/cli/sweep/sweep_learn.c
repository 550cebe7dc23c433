/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_plan.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The good runs of the sweep of allocations, and what is learned from them. */

/* --- what the workers do alike ------------------------------------------------------ */

struct vmsi_sweep_worker vmsi_sweep_worker_of(const struct vmsi_sweep_plan *sweep)
{
	return (struct vmsi_sweep_worker){
		.options = sweep->options, .output = &sweep->output,
		.library = sweep->library, .timeout = sweep->timeout,
		.forks = sweep->forks, .file = -1, .leaks = sweep->leaks,
	};
}

struct vmsi_failing_choice vmsi_sweep_choice_of(const struct vmsi_sweep_plan *sweep)
{
	return (struct vmsi_failing_choice){
		.least = sweep->options->minimum,
		.most = sweep->options->maximum,
		.depth = (uint32_t)sweep->options->depth,
		.goes_on = sweep->options->goes_on,
	};
}

pid_t vmsi_sweep_fork_worker(void)
{
	const pid_t sweeper = getpid();
	const pid_t worker = fork();

	if (worker == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		if (getppid() != sweeper)
			_exit(1);
	}
	return worker;
}

/* --- good runs -------------------------------------------------------------------- */

enum good {
	RECORDED, /* the program is started, and its stacks are recorded */
	FORKED,   /* by a server */
	AGAIN,    /* started, where the server's child did something else */
	GOOD_RUNS,
};

/*
 * The runs in which nothing fails; in a worker. The output of the first becomes that
 * which others are compared with.
 */
static void make_good_runs(struct vmsi_sweep_plan *sweep, struct vmsi_sweep_result *good)
{
	struct vmsi_sweep_worker worker = vmsi_sweep_worker_of(sweep);
	struct vmsi_failing_choice choice = vmsi_sweep_choice_of(sweep);
	int error;

	worker.file = sweep->record_file;
	worker.learns = true;
	worker.forks = false;
	error = vmsi_sweep_worker_begin(&worker);
	good[RECORDED].error = -error;
	if (error)
		return;
	choice.records = 1;
	vmsi_sweep_worker_try(&worker, &choice, &good[RECORDED]);
	if (good[RECORDED].verdict != VMSI_SWEEP_SAME)
		return;
	sweep->output.status = good[RECORDED].status;
	sweep->output.known = true;
	choice.records = 0;
	worker.forks = sweep->forks;
	vmsi_sweep_worker_try(&worker, &choice, &good[FORKED]);
	vmsi_sweep_worker_end(&worker);
	if (!worker.forks || good[FORKED].verdict == VMSI_SWEEP_SAME)
		return;
	worker.forks = false;
	vmsi_sweep_worker_try(&worker, &choice, &good[AGAIN]);
}

/* Returns false where no worker can be had. */
static bool run_good(struct vmsi_sweep_plan *sweep, struct vmsi_sweep_result *good)
{
	pid_t worker, ended;

	good[RECORDED].kind = VMSI_SWEEP_ALLOCATION;
	good[RECORDED].verdict = VMSI_SWEEP_BROKEN;
	worker = vmsi_sweep_fork_worker();
	if (worker == 0) {
		make_good_runs(sweep, good);
		_exit(0);
	}
	if (worker < 0)
		return false;
	do
		ended = waitpid(worker, NULL, 0);
	while (ended < 0 && errno == EINTR);
	if (good[RECORDED].verdict == VMSI_SWEEP_BROKEN &&
	    !good[RECORDED].error)
		good[RECORDED].error = ECANCELED;
	return true;
}

/*
 * Where the server's child does not do what the program does, or there can be no
 * server, the program is started anew for each trial, and the two runs without a
 * server are compared.
 */
static enum vmsi_exit compare(struct vmsi_sweep_plan *sweep,
			      const struct vmsi_sweep_result *good)
{
	const struct vmsi_sweep_result *second = &good[FORKED];

	sweep->output.status = good[RECORDED].status;
	sweep->output.known = true;
	if (sweep->forks && second->verdict != VMSI_SWEEP_SAME) {
		const bool same = good[AGAIN].verdict == VMSI_SWEEP_SAME;

		if (second->error == EBUSY)
			vmsi_sweep_say(sweep->options, "has threads before it "
				       "begins, and is started anew for each "
				       "trial");
		else if (same || second->error)
			vmsi_sweep_say(sweep->options, "does something else "
				       "when it is forked before it begins, and "
				       "is started anew for each trial");
		sweep->forks = !(same || second->error);
		second = &good[AGAIN];
	}
	return vmsi_sweep_compare_good(sweep->options, &sweep->output,
				       &good[RECORDED], second);
}

/* Of a program that ends without exit(3) leaks are not known, but nothing is wrong. */
static enum vmsi_exit check_leaks(const struct vmsi_sweep_plan *sweep)
{
	switch (sweep->record->outcome.leaks) {
	case VMSI_FAILING_LEAKS_LOOKED:
		return VMSI_EXIT_OK;
	case VMSI_FAILING_LEAKS_WATCHED:
		vmsi_sweep_say(sweep->options, "ends without exit(3): its leaks "
			       "are not looked for");
		return VMSI_EXIT_OK;
	case VMSI_FAILING_LEAKS_BEGUN:
		vmsi_sweep_say(sweep->options, "is not looked for leaks: "
			       "LeakSanitizer does not come to its end");
		return VMSI_EXIT_CANNOT_RUN;
	default:
		vmsi_sweep_say(sweep->options, "is not looked for leaks: the "
			       "loader does not load " VMSI_SWEEP_LEAKS_LIBRARY
			       " (Debian has it in liblsan0)");
		return VMSI_EXIT_CANNOT_RUN;
	}
}

/* A branch that seems to hang is soon left, since its trial is made again. */
static double patience_of(const struct vmsi_sweep_plan *sweep,
			  const struct vmsi_sweep_result *good)
{
	const double most = 1 + 2 * good->seconds;

	return most < sweep->timeout ? most : sweep->timeout;
}

enum vmsi_exit vmsi_sweep_learn(struct vmsi_sweep_plan *sweep)
{
	struct vmsi_sweep_result *good =
		vmsi_sweep_share(GOOD_RUNS * sizeof *good);
	enum vmsi_exit result;

	sweep->timeout = sweep->options->timeout > 0 ?
		sweep->options->timeout : 3600;
	if (!good || !run_good(sweep, good))
		return vmsi_sweep_fail("a run", ENOMEM);
	if (vmsi_sweep_interrupted())
		return VMSI_EXIT_OK;
	result = vmsi_sweep_check_good(sweep->options, &good[RECORDED]);
	if (result == VMSI_EXIT_OK)
		result = compare(sweep, good);
	sweep->timeout = vmsi_sweep_time_limit(sweep->options, &good[RECORDED]);
	sweep->patience = patience_of(sweep, &good[RECORDED]);
	sweep->made = good[RECORDED].made;
	if (result == VMSI_EXIT_OK && !sweep->record->outcome.began)
		vmsi_sweep_say(sweep->options, "does not begin as programs in C "
			       "do: none of its allocations is seen");
	if (result == VMSI_EXIT_OK && sweep->leaks)
		result = check_leaks(sweep);
	if (result == VMSI_EXIT_OK && sweep->record->outcome.lost)
		vmsi_sweep_say(sweep->options, "allocates from more than %d "
			       "places: some are left out",
			       VMSI_FAILING_STACKS);
	return result;
}
