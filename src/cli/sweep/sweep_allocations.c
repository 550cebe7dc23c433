/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/program/preload.h"
#include "cli/sweep/sweep_table.h"
#include "cli/sweep/sweep_worker.h"

/* --- the program ------------------------------------------------------------------- */

static struct vmsi_program program;
static char library[PATH_MAX];

enum vmsi_exit
vmsi_sweep_prepare_allocations(const struct vmsi_sweep_options *options,
			       struct vmsi_preload_reason *why_not)
{
	struct vmsi_elf elf;
	enum vmsi_exit result = vmsi_preload_find(VMSI_FAILING_LIBRARY, library,
						  &elf);

	*why_not = (struct vmsi_preload_reason){ .is_sanitizer = false };
	if (result != VMSI_EXIT_OK)
		return result;
	if (vmsi_program_try(options->arguments[0], &program))
		strcpy(why_not->text, "it is no program that can be read");
	else
		(void)vmsi_preload_works(&program, &elf, why_not);
	return VMSI_EXIT_OK;
}

/* --- all of the sweep ------------------------------------------------------------------- */

/* What the workers have together; in shared memory. */
struct progress {
	size_t next; /* trial that no worker has begun */
	size_t done;
};

/* An allocation: the nth from a stack of the table. */
struct trial {
	size_t stack;
	uint64_t nth;
};

struct sweep {
	const struct vmsi_sweep_options *options;
	struct vmsi_sweep_output output;
	struct vmsi_sweep_table table;
	struct vmsi_sweep_leaks *leaks; /* of the good runs; NULL: not looked for */
	struct vmsi_failing_memory *record;
	int record_file;
	bool forks;
	double timeout;
	uint64_t made; /* allocations of the good run */
	struct progress *progress;
	struct trial *trials;
	struct vmsi_sweep_result *results;
	size_t count;
};

static struct vmsi_sweep_worker worker_of(const struct sweep *sweep)
{
	return (struct vmsi_sweep_worker){
		.options = sweep->options, .output = &sweep->output,
		.library = library, .timeout = sweep->timeout,
		.forks = sweep->forks, .file = -1, .leaks = sweep->leaks,
	};
}

/* What counts in all runs. */
static struct vmsi_failing_choice base_choice(const struct sweep *sweep)
{
	return (struct vmsi_failing_choice){
		.least = sweep->options->minimum,
		.most = sweep->options->maximum,
		.depth = (uint32_t)sweep->options->depth,
		.goes_on = sweep->options->goes_on,
	};
}

/* The kernel ends a worker where the sweep is killed by SIGKILL. */
static pid_t fork_worker(void)
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

/* --- good runs ---------------------------------------------------------------------------- */

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
static void make_good_runs(struct sweep *sweep, struct vmsi_sweep_result *good)
{
	struct vmsi_sweep_worker worker = worker_of(sweep);
	struct vmsi_failing_choice choice = base_choice(sweep);
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
static bool run_good(struct sweep *sweep, struct vmsi_sweep_result *good)
{
	pid_t worker, ended;

	good[RECORDED].kind = VMSI_SWEEP_ALLOCATION;
	good[RECORDED].verdict = VMSI_SWEEP_BROKEN;
	worker = fork_worker();
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
static enum vmsi_exit compare(struct sweep *sweep,
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
static enum vmsi_exit check_leaks(const struct sweep *sweep)
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

static enum vmsi_exit learn(struct sweep *sweep)
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

/* --- trials --------------------------------------------------------------------------------- */

/*
 * In trials the stack of an allocation is looked at only from shortly before it is
 * expected on, since threads and times make numbers differ.
 */
static uint64_t look_from(uint64_t first)
{
	const uint64_t earlier = first / 8 + 16;

	return first > earlier ? first - earlier : 0;
}

static void choose(const struct sweep *sweep, size_t i,
		   struct vmsi_failing_choice *choice)
{
	const struct trial *trial = &sweep->trials[i];
	const struct vmsi_failing_stack *stack =
		&sweep->table.list[trial->stack].stack;

	*choice = base_choice(sweep);
	choice->nth = trial->nth;
	choice->stack = stack->hash;
	choice->from = look_from(stack->first);
}

/* Make trials that nobody has begun, until there are no more. */
static void work(struct sweep *sweep)
{
	struct vmsi_sweep_worker worker = worker_of(sweep);
	struct vmsi_failing_choice choice;
	const int error = vmsi_sweep_worker_begin(&worker);

	while (!vmsi_sweep_interrupted()) {
		const size_t trial = __atomic_fetch_add(&sweep->progress->next, 1,
							__ATOMIC_RELAXED);

		if (trial >= sweep->count)
			break;
		sweep->results[trial].verdict = VMSI_SWEEP_BROKEN;
		sweep->results[trial].error = error ? -error : ECANCELED;
		choose(sweep, trial, &choice);
		if (!error)
			vmsi_sweep_worker_try(&worker, &choice,
					      &sweep->results[trial]);
		__atomic_fetch_add(&sweep->progress->done, 1, __ATOMIC_RELAXED);
	}
	vmsi_sweep_worker_end(&worker);
}

static bool has_more(const struct sweep *sweep)
{
	return !vmsi_sweep_interrupted() &&
		__atomic_load_n(&sweep->progress->next, __ATOMIC_RELAXED) <
			sweep->count;
}

/*
 * Have as many workers as there are jobs, and another one in place of each that was
 * killed. The sweep wakes up now and then to show how far it is.
 */
static bool run_workers(struct sweep *sweep)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	size_t running = 0;

	while (has_more(sweep) || running > 0) {
		const bool wants = has_more(sweep) &&
			running < sweep->options->jobs;
		const pid_t worker = wants ? fork_worker() : 0;

		if (wants && worker == 0) {
			work(sweep);
			_exit(0);
		}
		if (wants && worker < 0)
			return false;
		running += wants;
		while (running > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			running--;
		if (!wants)
			nanosleep(&pause, NULL);
		vmsi_sweep_show_progress(sweep->progress->done, sweep->count);
	}
	return true;
}

static uint64_t trials_of(const struct sweep *sweep, size_t stack)
{
	return sweep->options->each ? sweep->table.list[stack].stack.calls : 1;
}

/* More trials than this nobody waits for, and a program could pretend them. */
#define TRIALS_MOST ((uint64_t)10000000)

/* Returns false where there are too many trials, or no memory for them. */
static bool list_trials(struct sweep *sweep)
{
	uint64_t count = 0;

	for (size_t i = 0; i < sweep->table.count && count <= TRIALS_MOST; i++)
		count += trials_of(sweep, i) <= TRIALS_MOST ?
			trials_of(sweep, i) : TRIALS_MOST + 1;
	if (count > TRIALS_MOST)
		return false;
	sweep->trials = calloc(count + 1, sizeof *sweep->trials);
	for (size_t i = 0; sweep->trials && i < sweep->table.count; i++)
		for (uint64_t nth = 1; nth <= trials_of(sweep, i); nth++)
			sweep->trials[sweep->count++] = (struct trial){ i, nth };
	return sweep->trials;
}

/* Put into the results what is known before the trials. */
static void describe(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++) {
		const struct vmsi_failing_stack *stack =
			&sweep->table.list[sweep->trials[i].stack].stack;
		struct vmsi_sweep_result *result = &sweep->results[i];

		result->kind = VMSI_SWEEP_ALLOCATION;
		result->verdict = VMSI_SWEEP_UNTRIED;
		result->number = stack->first ? stack->first : 1;
		result->stack = stack->hash;
		result->calls = stack->calls;
		strncpy(result->command, basename(program.path),
			sizeof result->command - 1);
	}
}

/* Text is written only where there are leaks; the rest takes no memory. */
static bool allocate_leaks(struct sweep *sweep)
{
	char *leaks = vmsi_sweep_share(sweep->count * VMSI_SWEEP_LEAK);

	for (size_t i = 0; leaks && i < sweep->count; i++)
		sweep->results[i].leak = leaks + i * VMSI_SWEEP_LEAK;
	return leaks;
}

static enum vmsi_exit make_trials(struct sweep *sweep)
{
	if (!list_trials(sweep))
		return vmsi_sweep_fail("trials", E2BIG);
	if (sweep->count == 0)
		return VMSI_EXIT_OK;
	sweep->progress = vmsi_sweep_share(sizeof *sweep->progress);
	sweep->results = vmsi_sweep_share(sweep->count * sizeof *sweep->results);
	if (!sweep->progress || !sweep->results)
		return vmsi_sweep_fail("results", ENOMEM);
	describe(sweep);
	if (sweep->leaks && !allocate_leaks(sweep))
		return vmsi_sweep_fail("results", ENOMEM);
	if (!run_workers(sweep))
		return vmsi_sweep_fail("a run", errno);
	for (size_t i = 0; i < sweep->count; i++)
		sweep->results[i].backtrace = vmsi_sweep_table_backtrace(
			&sweep->table, sweep->results[i].stack);
	return VMSI_EXIT_OK;
}

static int open_record(struct sweep *sweep)
{
	const size_t length = sizeof *sweep->record;
	void *memory;

	sweep->output.file = memfd_create("vmspace-sweep", MFD_CLOEXEC);
	sweep->record_file = vmsi_sweep_memory_open(length);
	if (sweep->output.file < 0 || sweep->record_file < 0)
		return -1;
	memory = mmap(NULL, length, PROT_READ, MAP_SHARED, sweep->record_file,
		      0);
	sweep->record = memory == MAP_FAILED ? NULL : memory;
	return memory == MAP_FAILED ? -1 : 0;
}

enum vmsi_exit vmsi_sweep_allocations(struct vmsi_sweep_options *options,
				      struct vmsi_sweep_part *part)
{
	struct sweep sweep = {
		.options = options, .forks = !options->starts_anew,
	};
	enum vmsi_exit result;

	part->kind = VMSI_SWEEP_ALLOCATION;
	if (options->leaks) {
		sweep.leaks = vmsi_sweep_share(sizeof *sweep.leaks);
		if (!sweep.leaks)
			return vmsi_sweep_fail("results", errno);
	}
	if (open_record(&sweep))
		return vmsi_sweep_fail("results", errno);
	result = learn(&sweep);
	if (result != VMSI_EXIT_OK || vmsi_sweep_interrupted())
		return result;
	if (vmsi_sweep_table_read(&sweep.table, sweep.record, program.binary))
		return vmsi_sweep_fail("results", ENOMEM);
	part->made = sweep.made;
	part->stacks = sweep.table.count;
	vmsi_sweep_table_choose(&sweep.table, options->library,
				options->function);
	result = make_trials(&sweep);
	part->results = sweep.results;
	part->count = sweep.count;
	return result;
}
