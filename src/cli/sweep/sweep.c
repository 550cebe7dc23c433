/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output/report_file.h"
#include "cli/output/text.h"
#include "cli/program/program.h"
#include "cli/supervise/descriptors.h"
#include "cli/supervise/supervise.h"
#include "text/number.h"
#include "text/size.h"

static const char help_text[] =
	"usage: vmspace sweep [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Run a program twice as it is, and then once for each of its requests for\n"
	"memory, with that one refused. Tells for each whether the program went\n"
	"on as if nothing had happened, failed with an exit status, was ended by\n"
	"a signal, hung, or wrote something else than in the good runs.\n"
	"\n"
	"  --only=A-B       only the requests from A to B, from 1 on\n"
	"  --minimum=SIZE   leave requests below SIZE out\n"
	"  --jobs=N         runs at a time; as many as there are processors\n"
	"  --timeout=S      seconds until a run counts as hung; ten times the\n"
	"                   good run, at least 10\n"
	"  --input=FILE     standard input of each run; nothing\n"
	"  --report=FILE    all results, as JSON\n"
	"  -h, --help       this text\n"
	"\n"
	"Exit status: 0 no run crashed, hung or wrote something wrong; 1 some\n"
	"did; 2 wrong arguments; 125 to 127 as of 'vmspace limit'.\n";

enum {
	OPTION_ONLY = 256,
	OPTION_MINIMUM,
	OPTION_JOBS,
	OPTION_TIMEOUT,
	OPTION_INPUT,
	OPTION_REPORT,
};

static const struct option long_options[] = {
	{ "only", required_argument, NULL, OPTION_ONLY },
	{ "minimum", required_argument, NULL, OPTION_MINIMUM },
	{ "jobs", required_argument, NULL, OPTION_JOBS },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "input", required_argument, NULL, OPTION_INPUT },
	{ "report", required_argument, NULL, OPTION_REPORT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* --- options --------------------------------------------------------------------- */

/* Read "A", "A-" or "A-B" into first and last. */
static bool parse_range(const char *text, struct vmsi_sweep_options *options)
{
	struct vmsi_scan scan = vmsi_scan_text(text);

	if (!vmsi_scan_decimal(&scan, &options->first) || options->first == 0)
		return false;
	options->last = options->first;
	if (vmsi_scan_left(&scan) == 0)
		return true;
	if (!vmsi_scan_char(&scan, '-'))
		return false;
	options->last = 0;
	if (vmsi_scan_left(&scan) == 0)
		return true;
	return vmsi_parse_number(scan.at, &options->last) &&
		options->last >= options->first;
}

static bool take_option(int option, struct vmsi_sweep_options *options)
{
	char *end;

	switch (option) {
	case OPTION_ONLY:
		return parse_range(optarg, options);
	case OPTION_MINIMUM:
		return vmsi_parse_size(optarg, VMSI_SIZE_FRACTION,
				       &options->minimum);
	case OPTION_JOBS:
		return vmsi_parse_number(optarg, &options->jobs) &&
			options->jobs > 0 && options->jobs <= 1024;
	case OPTION_TIMEOUT:
		options->timeout = strtod(optarg, &end);
		return end != optarg && !*end && options->timeout > 0;
	case OPTION_INPUT:
		options->input = optarg;
		return true;
	}
	return false;
}

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
	result->request = request;
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

static void show_progress(const struct runs *runs, size_t done)
{
	if (runs->first > 0 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%zu of %zu runs%s", done, runs->count,
			done == runs->count ? "\r\033[K" : "");
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
		show_progress(runs, ++done);
	}
	note_killed(runs);
	return true;
}

static bool run_all(struct runs *runs)
{
	bool all;

	runs->workers = calloc(runs->options->jobs, sizeof *runs->workers);
	all = runs->workers && run_each(runs);
	free(runs->workers);
	return all;
}

/* Allocate results in shared memory, since the workers write them. */
static struct vmsi_sweep_result *allocate(size_t count)
{
	void *results = mmap(NULL, count * sizeof(struct vmsi_sweep_result),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return results == MAP_FAILED ? NULL : results;
}

/* --- the sweep --------------------------------------------------------------------- */

static enum vmsi_exit fail(const char *what, int error)
{
	fputs("vmspace sweep: ", stderr);
	vmsi_write_escaped(stderr, what);
	fprintf(stderr, ": %s\n", strerror(error));
	return VMSI_EXIT_RUN_FAILED;
}

static enum vmsi_exit sweep(struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_output *output,
			    const struct vmsi_sweep_result *good)
{
	struct runs runs = {
		.options = options, .output = output,
		.timeout = options->timeout, .first = options->first,
	};

	/* The program has made no request that could be refused. */
	if (good->requests == 0 && options->first == 1 && options->last == 0)
		return vmsi_sweep_report(options, NULL, 0);
	if (options->last == 0 || options->last > good->requests)
		options->last = good->requests;
	if (options->first > options->last)
		return fail("there is no such request", ERANGE);
	runs.count = (size_t)(options->last - options->first + 1);
	if (runs.timeout <= 0)
		runs.timeout = good->seconds > 1 ? good->seconds * 10 : 10;
	runs.results = allocate(runs.count);
	if (!runs.results)
		return fail("results", ENOMEM);
	if (!run_all(&runs))
		return fail("a run", errno);
	vmsi_sweep_end_if_interrupted();
	return vmsi_sweep_report(options, runs.results, runs.count);
}

__attribute__((format(printf, 2, 3)))
static void say_of_program(const struct vmsi_sweep_options *options,
			   const char *format, ...)
{
	va_list values;

	fputs("vmspace sweep: ", stderr);
	vmsi_write_escaped(stderr, options->arguments[0]);
	fputc(' ', stderr);
	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	fputc('\n', stderr);
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
		return fail("a run", errno);
	if (!output->known)
		output->status = good->status;
	output->known = true;
	vmsi_sweep_end_if_interrupted();
	if (good->error)
		return vmsi_program_explain_start(options->arguments[0],
					      options->path, good->error);
	if (good->verdict == VMSI_SWEEP_HUNG)
		return fail("the good run did not end", ETIMEDOUT);
	if (WIFSIGNALED(good->status)) {
		say_of_program(options, "is ended by signal %d though nothing "
			       "fails", WTERMSIG(good->status));
		return VMSI_EXIT_RUN_FAILED;
	}
	return VMSI_EXIT_OK;
}

/*
 * Compare the two runs in which nothing is refused. Where their outputs differ,
 * the outputs of later runs prove nothing and are not compared.
 */
static enum vmsi_exit compare_good(const struct vmsi_sweep_options *options,
				   struct vmsi_sweep_output *output,
				   const struct vmsi_sweep_result good[2])
{
	if (good[1].verdict == VMSI_SWEEP_FAILED) {
		say_of_program(options, "ends with status %d, and then with %d, "
			       "though nothing fails",
			       WEXITSTATUS(good[0].status),
			       WEXITSTATUS(good[1].status));
		return VMSI_EXIT_RUN_FAILED;
	}
	output->differs = good[1].verdict == VMSI_SWEEP_WRONG;
	if (output->differs)
		say_of_program(options, "writes something else each time: what "
			       "it writes is not compared");
	if (good[0].requests != good[1].requests)
		say_of_program(options, "makes %" PRIu64 " requests, and then %"
			       PRIu64 ": a number is not always the same one",
			       good[0].requests, good[1].requests);
	return VMSI_EXIT_OK;
}

/*
 * Run the program twice without a refusal, then once for each request, which is
 * refused.
 */
static enum vmsi_exit run_all_of(struct vmsi_sweep_options *options)
{
	struct vmsi_sweep_output output = { .known = false };
	struct vmsi_sweep_result *good = allocate(2);
	enum vmsi_exit result = VMSI_EXIT_OK;
	int error;

	output.file = memfd_create("vmspace-sweep", MFD_CLOEXEC);
	if (!good || output.file < 0)
		return fail("results", ENOMEM);
	vmsi_let_go_of_input(options->input);
	error = vmsi_sweep_catch_signals();
	if (error)
		return fail("signals", -error);
	for (int i = 0; i < 2 && result == VMSI_EXIT_OK; i++)
		result = run_good(options, &output, &good[i]);
	if (result == VMSI_EXIT_OK)
		result = compare_good(options, &output, good);
	return result == VMSI_EXIT_OK ? sweep(options, &output, good) : result;
}

static enum vmsi_exit sweep_program(struct vmsi_sweep_options *options,
				    struct vmsi_program *program)
{
	enum vmsi_exit result = vmsi_supervise_find(vmsi_command_sweep.program,
						    &options->arguments,
						    program);

	if (result != VMSI_EXIT_OK || !options->arguments)
		return result;
	options->path = program->path;
	if (options->input && access(options->input, R_OK))
		return fail(options->input, errno);
	if (options->report && !vmsi_report_probe(&options->report))
		return VMSI_EXIT_RUN_FAILED;
	return run_all_of(options);
}

static enum vmsi_exit run_sweep(int argc, char **argv)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct vmsi_sweep_options options = {
		.first = 1, .jobs = processors > 0 ? (uint64_t)processors : 1,
	};
	struct vmsi_program program;
	int option;

	while ((option = getopt_long(argc, argv, "+h", long_options,
				     NULL)) != -1) {
		if (option == 'h')
			return vmsi_show_help(&vmsi_command_sweep);
		if (option == '?')
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		if (option == OPTION_REPORT) {
			const enum vmsi_exit result =
				vmsi_report_take(argv[0], optarg,
						 &options.report);

			if (result != VMSI_EXIT_OK)
				return result;
			continue;
		}
		if (!take_option(option, &options))
			return vmsi_usage_error(argv[0], "'%s' makes no sense "
						"there", optarg);
	}
	if (optind >= argc)
		return vmsi_usage_error(argv[0], "name a program");
	options.arguments = argv + optind;
	return sweep_program(&options, &program);
}

const struct vmsi_command vmsi_command_sweep = {
	.name = "sweep",
	.program = "vmspace sweep",
	.summary = "fail each of a program's requests for memory in turn",
	.help = help_text,
	.run = run_sweep,
};
