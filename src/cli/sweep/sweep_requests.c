/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output/progress.h"
#include "cli/supervise/descriptors.h"

/* The sweep of requests to the kernel. */

/* --- runs ------------------------------------------------------------------------- */

/*
 * Each run is a worker: a process that runs the program once, as the supervisor
 * of its group.
 */
struct runs {
	struct vmsi_sweep_options *options;
	const struct vmsi_sweep_output *output;
	double timeout;  /* seconds */
	uint64_t first;  /* the request that the first run refuses; 0: none is */
	size_t count;
	struct vmsi_sweep_result *results;
	/*
	 * The workers that run. wait(2) may also report children of a worker that
	 * was killed.
	 */
	pid_t *workers;
	size_t running;
};

static bool remove_worker(struct runs *runs, pid_t pid)
{
	for (size_t i = 0; i < runs->running; i++)
		if (runs->workers[i] == pid) {
			runs->workers[i] = runs->workers[--runs->running];
			return true;
		}
	return false;
}

/* Wait until a worker has ended. Returns false where there is none. */
static bool await_worker(struct runs *runs)
{
	pid_t ended;

	do
		ended = wait(NULL);
	while (ended < 0 ? errno == EINTR : !remove_worker(runs, ended));
	return ended > 0;
}

static bool start_run(struct runs *runs, size_t index)
{
	struct vmsi_sweep_result *result = &runs->results[index];
	const uint64_t request = runs->first + index;
	const pid_t sweeper = getpid();
	pid_t worker;

	/*
	 * A worker writes its verdict at its end; one that is killed before
	 * leaves this.
	 */
	result->number = request;
	result->kind = VMSI_SWEEP_REQUEST;
	result->verdict = VMSI_SWEEP_BROKEN;
	worker = fork();
	if (worker == 0) {
		/*
		 * The kernel ends the workers where the sweep is killed by
		 * SIGKILL.
		 */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		if (getppid() != sweeper)
			_exit(1);
		vmsi_restore_signals();
		vmsi_sweep_run(runs->options, request, runs->timeout,
			       runs->output, result);
		_exit(0);
	}
	if (worker > 0)
		runs->workers[runs->running++] = worker;
	return worker > 0;
}

/*
 * Give an error to the results of workers that were killed and have written none.
 */
static void note_killed(struct runs *runs)
{
	for (size_t i = 0; i < runs->count; i++)
		if (runs->results[i].verdict == VMSI_SWEEP_BROKEN &&
		    runs->results[i].error == 0)
			runs->results[i].error = ECANCELED;
}

static bool may_start(const struct runs *runs, size_t started)
{
	return started < runs->count && !vmsi_sweep_interrupted();
}

static void let_go(struct vmsi_sweep_options *options)
{
	/* Another one of these files may be a descriptor. */
	if (!options->junit && !options->sarif && !options->new_baseline)
		vmsi_let_go_of_others(options->report);
	vmsi_let_go_of_directory(&options->report);
}

static bool run_each(struct runs *runs)
{
	size_t started = 0, done = 0;

	while (runs->running > 0 || may_start(runs, started)) {
		if (may_start(runs, started) &&
		    runs->running < runs->options->jobs) {
			if (!start_run(runs, started++))
				return false;
			/*
			 * All runs have inherited the descriptors that are for
			 * the program.
			 */
			if (runs->first > 0 && started == runs->count)
				let_go(runs->options);
			continue;
		}
		if (!await_worker(runs))
			return false;
		done++;
		if (runs->first > 0)
			vmsi_progress_show(done);
	}
	note_killed(runs);
	return true;
}

static bool run_all(struct runs *runs)
{
	bool all;

	runs->workers = calloc(runs->options->jobs, sizeof *runs->workers);
	vmsi_progress_begin("runs", runs->count, 1);
	all = runs->workers && run_each(runs);
	vmsi_progress_end();
	free(runs->workers);
	return all;
}

/* --- the sweep --------------------------------------------------------------------- */

/* Allocate results, which have not been tried, with room for their backtraces. */
static struct vmsi_sweep_result *allocate(size_t count)
{
	const size_t one = sizeof(struct vmsi_sweep_result);
	struct vmsi_sweep_result *results =
		vmsi_sweep_share(count * (one + VMSI_SWEEP_BACKTRACE));

	for (size_t i = 0; results && i < count; i++) {
		results[i].verdict = VMSI_SWEEP_UNTRIED;
		results[i].backtrace = (char *)(results + count) +
			i * VMSI_SWEEP_BACKTRACE;
	}
	return results;
}

static enum vmsi_exit sweep(struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_output *output,
			    const struct vmsi_sweep_result *good,
			    struct vmsi_sweep_part *part)
{
	struct runs runs = {
		.options = options, .output = output,
		.timeout = vmsi_sweep_time_limit(options, good),
		.first = options->first,
	};

	/* The program has made no request that could be refused. */
	if (good->made == 0 && options->first == 1 && options->last == 0)
		return VMSI_EXIT_OK;
	if (options->last == 0 || options->last > good->made)
		options->last = good->made;
	if (options->first > options->last)
		return vmsi_sweep_fail("there is no such request", ERANGE);
	runs.count = (size_t)(options->last - options->first + 1);
	runs.results = allocate(runs.count);
	if (!runs.results)
		return vmsi_sweep_fail("results", ENOMEM);
	if (!run_all(&runs))
		return vmsi_sweep_fail("a run", errno);
	part->results = runs.results;
	part->count = runs.count;
	return VMSI_EXIT_OK;
}

static enum vmsi_exit run_good(struct vmsi_sweep_options *options,
			       struct vmsi_sweep_output *output,
			       struct vmsi_sweep_result *good)
{
	struct runs runs = {
		.options = options, .output = output, .count = 1,
		.results = good,
		.timeout = options->timeout > 0 ? options->timeout : 3600,
	};

	if (!run_all(&runs))
		return vmsi_sweep_fail("a run", errno);
	if (!output->known)
		output->status = good->status;
	output->known = true;
	return vmsi_sweep_interrupted() ? VMSI_EXIT_OK :
		vmsi_sweep_check_good(options, good);
}

/*
 * Run the program twice without a refusal, then once for each request, which is
 * refused.
 */
enum vmsi_exit vmsi_sweep_requests(struct vmsi_sweep_options *options,
				   struct vmsi_sweep_part *part)
{
	struct vmsi_sweep_output output = { .known = false };
	struct vmsi_sweep_result *good = allocate(2);
	enum vmsi_exit result = VMSI_EXIT_OK;

	part->kind = VMSI_SWEEP_REQUEST;
	output.file = memfd_create("vmspace-sweep", MFD_CLOEXEC);
	if (!good || output.file < 0)
		return vmsi_sweep_fail("results", ENOMEM);
	vmsi_let_go_of_input(options->input);
	for (int i = 0; i < 2 && result == VMSI_EXIT_OK; i++)
		result = run_good(options, &output, &good[i]);
	if (result != VMSI_EXIT_OK || vmsi_sweep_interrupted())
		return result;
	result = vmsi_sweep_compare_good(options, &output, &good[0], &good[1]);
	return result == VMSI_EXIT_OK ? sweep(options, &output, good, part) :
					result;
}
