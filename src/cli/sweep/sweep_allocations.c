/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/output/progress.h"
#include "cli/program/preload.h"
#include "cli/sweep/sweep_plan.h"

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

static void choose(const struct vmsi_sweep_plan *sweep, size_t i,
		   struct vmsi_failing_choice *choice)
{
	const struct vmsi_sweep_trial *trial = &sweep->trials[i];
	const struct vmsi_failing_stack *stack =
		&sweep->table.list[trial->stack].stack;

	*choice = vmsi_sweep_choice_of(sweep);
	choice->nth = trial->nth;
	choice->stack = stack->hash;
	choice->from = look_from(stack->first);
}

/* Make trials that nobody has begun, until there are no more. */
static void work(struct vmsi_sweep_plan *sweep)
{
	struct vmsi_sweep_worker worker = vmsi_sweep_worker_of(sweep);
	struct vmsi_failing_choice choice;
	const int error = vmsi_sweep_worker_begin(&worker);

	while (!vmsi_sweep_interrupted()) {
		const size_t trial = __atomic_fetch_add(&sweep->progress->next, 1,
							__ATOMIC_RELAXED);

		if (trial >= sweep->count)
			break;
		/* A branch was it. */
		if (sweep->results[trial].verdict != VMSI_SWEEP_UNTRIED)
			continue;
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

/* Make trials by branches of a trunk. */
static void work_on_branches(struct vmsi_sweep_plan *sweep)
{
	struct vmsi_sweep_worker worker = vmsi_sweep_worker_of(sweep);

	if (vmsi_sweep_worker_begin(&worker) == 0)
		vmsi_sweep_branches_try(&worker, &sweep->branches);
	else
		vmsi_sweep_branches_leave(&sweep->branches);
	vmsi_sweep_worker_end(&worker);
}

static bool has_more(const struct vmsi_sweep_plan *sweep, size_t count)
{
	return !vmsi_sweep_interrupted() &&
		__atomic_load_n(&sweep->progress->next, __ATOMIC_RELAXED) < count;
}

/*
 * Have as many workers as there are jobs, and another one in place of each that has
 * ended or was killed, until nothing of the count is left. The sweep wakes up now and
 * then to show how far it is.
 */
static bool run_workers(struct vmsi_sweep_plan *sweep,
			void (*what)(struct vmsi_sweep_plan *), size_t count)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	size_t running = 0;

	sweep->progress->next = 0;
	vmsi_progress_begin("runs", sweep->count, 1);
	while (has_more(sweep, count) || running > 0) {
		const bool wants = has_more(sweep, count) &&
			running < sweep->options->jobs;
		const pid_t worker = wants ? vmsi_sweep_fork_worker() : 0;

		if (wants && worker == 0) {
			what(sweep);
			_exit(0);
		}
		if (wants && worker < 0)
			return false;
		running += wants;
		while (running > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			running--;
		if (!wants)
			nanosleep(&pause, NULL);
		vmsi_progress_show(sweep->progress->done);
	}
	vmsi_progress_end();
	return true;
}

static uint64_t trials_of(const struct vmsi_sweep_plan *sweep, size_t stack)
{
	return sweep->options->each ? sweep->table.list[stack].stack.calls : 1;
}

/* More trials than this nobody waits for, and a program could pretend them. */
#define TRIALS_MOST ((uint64_t)10000000)

/* Returns false where there are too many trials, or no memory for them. */
static bool list_trials(struct vmsi_sweep_plan *sweep)
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
			sweep->trials[sweep->count++] = (struct vmsi_sweep_trial){ i, nth };
	return sweep->trials;
}

/* Put into the results what is known before the trials. */
static void describe(struct vmsi_sweep_plan *sweep)
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

static int compare_stops(const void *a, const void *b)
{
	const struct vmsi_sweep_stop *one = a, *two = b;

	if (one->turn != two->turn)
		return one->turn < two->turn ? -1 : 1;
	return (one->choice.stop > two->choice.stop) -
		(one->choice.stop < two->choice.stop);
}

/* The last turn that has a trunk of its own; later ones have one together. */
#define LAST_TURN ((size_t)2)

/*
 * List the places where a trunk is to stop: the first allocations from the stacks, in
 * the order of their turns. Returns false where there is no memory.
 */
static bool list_stops(struct vmsi_sweep_plan *sweep)
{
	struct vmsi_sweep_branches *branches = &sweep->branches;

	*branches = (struct vmsi_sweep_branches){
		.list = calloc(sweep->count, sizeof *branches->list),
		.next = &sweep->progress->next, .done = &sweep->progress->done,
		.results = sweep->results, .patience = sweep->patience,
	};
	for (size_t i = 0; branches->list && i < sweep->count; i++) {
		const struct vmsi_sweep_stack *stack =
			&sweep->table.list[sweep->trials[i].stack];
		struct vmsi_sweep_stop *stop = &branches->list[branches->count];

		if (sweep->trials[i].nth != 1 || !stack->stack.first)
			continue;
		stop->trial = i;
		stop->choice = vmsi_sweep_choice_of(sweep);
		stop->choice.stack = stack->stack.hash;
		stop->choice.stop = stack->stack.first;
		stop->turn = stack->turn < LAST_TURN ? stack->turn : LAST_TURN;
		branches->count++;
	}
	if (branches->list)
		qsort(branches->list, branches->count, sizeof *branches->list,
		      compare_stops);
	return branches->list;
}

/* Make what trials can be made by branches, and then the others. */
static bool run_trials(struct vmsi_sweep_plan *sweep)
{
	size_t made = 0;

	if (sweep->forks &&
	    (!list_stops(sweep) ||
	     !run_workers(sweep, work_on_branches, sweep->branches.count)))
		return false;
	for (size_t i = 0; i < sweep->count; i++)
		made += sweep->results[i].verdict != VMSI_SWEEP_UNTRIED;
	sweep->progress->done = made;
	return made == sweep->count || run_workers(sweep, work, sweep->count);
}

/* Text is written only where there are leaks; the rest takes no memory. */
static bool allocate_leaks(struct vmsi_sweep_plan *sweep)
{
	char *leaks = vmsi_sweep_share(sweep->count * VMSI_SWEEP_LEAK);

	for (size_t i = 0; leaks && i < sweep->count; i++)
		sweep->results[i].leak = leaks + i * VMSI_SWEEP_LEAK;
	return leaks;
}

static enum vmsi_exit make_trials(struct vmsi_sweep_plan *sweep)
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
	if (!run_trials(sweep))
		return vmsi_sweep_fail("a run", errno);
	for (size_t i = 0; i < sweep->count; i++)
		sweep->results[i].backtrace = vmsi_sweep_table_backtrace(
			&sweep->table, sweep->results[i].stack);
	return VMSI_EXIT_OK;
}

static int open_record(struct vmsi_sweep_plan *sweep)
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
	struct vmsi_sweep_plan sweep = {
		.options = options, .library = library,
		.forks = !options->starts_anew,
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
	result = vmsi_sweep_learn(&sweep);
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
