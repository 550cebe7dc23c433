/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/output/report_file.h"
#include "cli/output/size.h"
#include "cli/program/preload.h"
#include "cli/supervise/supervise.h"
#include "failing/failing.h"
#include "text/number.h"
#include "text/size.h"

static const char help_text[] =
	"usage: vmspace sweep [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Run a program as it is, and then again for each of its allocations (malloc,\n"
	"operator new; those from one stack once), and for each of its requests for\n"
	"memory to the kernel, with that one failing. Tells how each run ended.\n";

static const char notes[] =
	"Exit status: 0 no finding, 1 a run crashed, hung, leaked or wrote something\n"
	"wrong, 2 wrong arguments, 125 to 127 as of 'vmspace limit'.\n";

enum {
	OPTION_MALLOC = 256,
	OPTION_KERNEL,
	OPTION_EACH,
	OPTION_DEPTH,
	OPTION_FROM_HERE_ON,
	OPTION_LIBRARY,
	OPTION_FUNCTION,
	OPTION_SIZE,
	OPTION_START_ANEW,
	OPTION_LEAKS,
	OPTION_ONLY,
	OPTION_MINIMUM,
	OPTION_JOBS,
	OPTION_TIMEOUT,
	OPTION_INPUT,
	OPTION_REPORT,
	OPTION_JUNIT,
	OPTION_SARIF,
	OPTION_BASELINE,
	OPTION_WRITE_BASELINE,
	OPTION_BYTES,
};

static const struct vmsi_option sweep_options[] = {
	{ .name = "malloc", .value = OPTION_MALLOC, .help = "only allocations" },
	{ .name = "kernel", .value = OPTION_KERNEL,
	  .help = "only requests to the kernel" },
	{ .name = "each", .value = OPTION_EACH,
	  .help = "each allocation, also those from one stack" },
	{ .name = "depth", .value = OPTION_DEPTH, .argument = "N",
	  .help = "frames that make a stack another one; 8" },
	{ .name = "from-here-on", .value = OPTION_FROM_HERE_ON,
	  .flags = VMSI_OPTION_IS_RARE,
	  .help = "all allocations after the one that fails, fail too" },
	{ .name = "library", .value = OPTION_LIBRARY, .flags = VMSI_OPTION_IS_RARE,
	  .argument = "NAME",
	  .help = "only allocations that have this library on their stack" },
	{ .name = "function", .value = OPTION_FUNCTION, .argument = "NAME",
	  .help = "only allocations that have it on their stack" },
	{ .name = "size", .value = OPTION_SIZE, .flags = VMSI_OPTION_IS_RARE,
	  .argument = "A-B", .help = "only allocations of A to B bytes" },
	{ .name = "start-anew", .value = OPTION_START_ANEW,
	  .flags = VMSI_OPTION_IS_RARE,
	  .help = "start the program for each trial, do not fork it" },
	{ .name = "leaks", .value = OPTION_LEAKS,
	  .help = "look for leaks at the end of each run (needs liblsan)" },
	{ .name = "only", .value = OPTION_ONLY, .argument = "A-B",
	  .help = "only requests A to B to the kernel" },
	{ .name = "minimum", .value = OPTION_MINIMUM, .flags = VMSI_OPTION_IS_RARE,
	  .argument = "SIZE", .help = "no request to the kernel below SIZE" },
	{ .name = "jobs", .value = OPTION_JOBS, .argument = "N",
	  .help = "runs at a time; as many as there are processors" },
	{ .name = "timeout", .value = OPTION_TIMEOUT, .argument = "S",
	  .help = "seconds until a run hangs; 10 good runs, at least 10" },
	{ .name = "input", .value = OPTION_INPUT, .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE, .help = "standard input of each run" },
	{ .name = "report", .value = OPTION_REPORT, .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE, .help = "all results, as JSON" },
	{ .name = "junit", .value = OPTION_JUNIT, .flags = VMSI_OPTION_IS_RARE,
	  .argument = "FILE", .completion = VMSI_COMPLETE_FILE,
	  .help = "all results, as JUnit's XML" },
	{ .name = "sarif", .value = OPTION_SARIF, .flags = VMSI_OPTION_IS_RARE,
	  .argument = "FILE", .completion = VMSI_COMPLETE_FILE,
	  .help = "the findings, as SARIF" },
	{ .name = "baseline", .value = OPTION_BASELINE,
	  .flags = VMSI_OPTION_IS_RARE, .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE,
	  .help = "findings that are known, which are no findings" },
	{ .name = "write-baseline", .value = OPTION_WRITE_BASELINE,
	  .flags = VMSI_OPTION_IS_RARE, .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE,
	  .help = "write the findings of today as known ones" },
	VMSI_OPTION_TELL_BYTES(OPTION_BYTES),
	VMSI_OPTION_HELP,
	{ .name = NULL },
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

/* Read "A", "A-" or "A-B", sizes with their suffixes. */
static bool parse_sizes(const char *text, struct vmsi_sweep_options *options)
{
	char low[32];
	const char *dash = strchr(text, '-');
	const size_t length = dash ? (size_t)(dash - text) : strlen(text);

	if (length >= sizeof low)
		return false;
	memcpy(low, text, length);
	low[length] = '\0';
	if (!vmsi_parse_size(low, VMSI_SIZE_FRACTION, &options->minimum))
		return false;
	options->maximum = dash ? SIZE_MAX : options->minimum;
	if (!dash || !dash[1])
		return true;
	return vmsi_parse_size(dash + 1, VMSI_SIZE_FRACTION,
			       &options->maximum) &&
		options->maximum >= options->minimum;
}

static bool parse_positive(const char *text, uint64_t most, uint64_t *number)
{
	return vmsi_parse_number(text, number) && *number > 0 &&
		*number <= most;
}

/* Options of allocations alone. */
static bool take_of_allocations(int option, struct vmsi_sweep_options *options)
{
	options->kinds |= VMSI_SWEEP_ALLOCATION;
	switch (option) {
	case OPTION_MALLOC:
		return true;
	case OPTION_EACH:
		return options->each = true;
	case OPTION_DEPTH:
		return parse_positive(optarg, VMSI_FAILING_FRAMES,
				      &options->depth);
	case OPTION_FROM_HERE_ON:
		return options->goes_on = true;
	case OPTION_LIBRARY:
		options->library = optarg;
		return *optarg;
	case OPTION_FUNCTION:
		options->function = optarg;
		return *optarg;
	case OPTION_SIZE:
		return parse_sizes(optarg, options);
	case OPTION_START_ANEW:
		return options->starts_anew = true;
	case OPTION_LEAKS:
		/* LeakSanitizer is not made for what is forked before it begins. */
		return options->leaks = options->starts_anew = true;
	}
	return false;
}

/*
 * The options that name a file to be written. A path from the current directory
 * becomes an absolute one: the command leaves that directory. is_one becomes whether
 * the option is one of these.
 */
static enum vmsi_exit take_file(int option, const char *argument,
				struct vmsi_sweep_options *options, bool *is_one)
{
	const struct {
		int option;
		const char *name, **path;
	} files[] = {
		{ OPTION_REPORT, "--report", &options->report },
		{ OPTION_JUNIT, "--junit", &options->junit },
		{ OPTION_SARIF, "--sarif", &options->sarif },
		{ OPTION_WRITE_BASELINE, "--write-baseline",
		  &options->new_baseline },
	};
	const size_t count = sizeof files / sizeof files[0];
	enum vmsi_exit result;
	char *directory, *path;
	size_t i = 0;

	while (i < count && files[i].option != option)
		i++;
	*is_one = i < count;
	if (!*is_one)
		return VMSI_EXIT_OK;
	result = vmsi_report_take(vmsi_command_sweep.program, files[i].name,
				  argument, files[i].path);
	if (result != VMSI_EXIT_OK)
		return result;
	directory = **files[i].path == '/' ? NULL : getcwd(NULL, 0);
	if (directory && asprintf(&path, "%s/%s", directory,
				  *files[i].path) > 0)
		*files[i].path = path;
	free(directory);
	return VMSI_EXIT_OK;
}

static bool take_option(int option, struct vmsi_sweep_options *options)
{
	char *end;

	switch (option) {
	case OPTION_KERNEL:
		options->kinds |= VMSI_SWEEP_REQUEST;
		return true;
	case OPTION_ONLY:
		options->kinds |= VMSI_SWEEP_REQUEST;
		return parse_range(optarg, options);
	case OPTION_MINIMUM:
		return vmsi_parse_size(optarg, VMSI_SIZE_FRACTION,
				       &options->minimum);
	case OPTION_JOBS:
		return parse_positive(optarg, 1024, &options->jobs);
	case OPTION_TIMEOUT:
		options->timeout = strtod(optarg, &end);
		return end != optarg && !*end && options->timeout > 0;
	case OPTION_INPUT:
		options->input = optarg;
		return true;
	case OPTION_BASELINE:
		options->baseline = optarg;
		return true;
	case OPTION_BYTES:
		vmsi_tell_bytes();
		return true;
	}
	return take_of_allocations(option, options);
}

/* --- the sweep ------------------------------------------------------------------------ */

/*
 * Decide what is swept: all that can be, where the user has not said. Allocations of
 * some programs cannot be: that is told before anything else. Why a program cannot be
 * run at all is told when it is run.
 */
static enum vmsi_exit choose_kinds(struct vmsi_sweep_options *options)
{
	const bool asked = options->kinds & VMSI_SWEEP_ALLOCATION;
	struct vmsi_preload_reason why_not;
	enum vmsi_exit result;

	if (!options->kinds)
		options->kinds = VMSI_SWEEP_ALLOCATION | VMSI_SWEEP_REQUEST;
	if (!(options->kinds & VMSI_SWEEP_ALLOCATION))
		return VMSI_EXIT_OK;
	result = vmsi_sweep_prepare_allocations(options, &why_not);
	if (result != VMSI_EXIT_OK || !why_not.text[0])
		return result;
	vmsi_complain(options->arguments[0], asked ?
		      "its allocations cannot be failed: %s%s" :
		      "only its requests to the kernel are failed, and not its "
		      "allocations: %s%s", why_not.text,
		      asked || !why_not.is_sanitizer ? "" :
		      ", whose own requests are left out");
	options->kinds &= ~(unsigned)VMSI_SWEEP_ALLOCATION;
	return asked ? VMSI_EXIT_CANNOT_RUN : VMSI_EXIT_OK;
}

static enum vmsi_exit sweep_kinds(struct vmsi_sweep_options *options)
{
	struct vmsi_sweep_part parts[2] = { 0 };
	enum vmsi_exit result = VMSI_EXIT_OK;
	size_t count = 0;

	if (options->kinds & VMSI_SWEEP_ALLOCATION)
		result = vmsi_sweep_allocations(options, &parts[count++]);
	if (result == VMSI_EXIT_OK && !vmsi_sweep_interrupted() &&
	    (options->kinds & VMSI_SWEEP_REQUEST))
		result = vmsi_sweep_requests(options, &parts[count++]);
	if (result == VMSI_EXIT_OK)
		result = vmsi_sweep_report(options, parts, count);
	vmsi_sweep_end_if_interrupted();
	return result;
}

static enum vmsi_exit find_program(struct vmsi_sweep_options *options,
				   struct vmsi_program *program)
{
	const char *name = vmsi_command_sweep.program;

	if (options->kinds == VMSI_SWEEP_ALLOCATION)
		return vmsi_supervise_look_up(name, &options->arguments,
					      program);
	return vmsi_supervise_find(name, &options->arguments, program);
}

/* Find out before anything runs whether the files are there. */
static enum vmsi_exit probe_files(struct vmsi_sweep_options *options)
{
	const char **const written[] = {
		&options->report, &options->junit, &options->sarif,
		&options->new_baseline,
	};
	const char *const read[] = { options->input, options->baseline };

	for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
		if (read[i] && access(read[i], R_OK))
			return vmsi_sweep_fail(read[i], errno);
	for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
		if (*written[i] && !vmsi_report_probe(written[i]))
			return VMSI_EXIT_RUN_FAILED;
	return VMSI_EXIT_OK;
}

static enum vmsi_exit sweep_program(struct vmsi_sweep_options *options,
				    struct vmsi_program *program)
{
	enum vmsi_exit result = find_program(options, program);
	int error;

	if (result != VMSI_EXIT_OK || !options->arguments)
		return result;
	options->path = program->path;
	result = probe_files(options);
	if (result == VMSI_EXIT_OK)
		result = choose_kinds(options);
	if (result != VMSI_EXIT_OK)
		return result;
	error = vmsi_sweep_catch_signals();
	if (error)
		return vmsi_sweep_fail("signals", -error);
	return sweep_kinds(options);
}

static enum vmsi_exit run_sweep(int argc, char **argv)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct vmsi_sweep_options options = {
		.first = 1, .jobs = processors > 0 ? (uint64_t)processors : 1,
		.maximum = SIZE_MAX, .depth = 8,
	};
	struct vmsi_program program;
	enum vmsi_exit result;
	bool is_file;
	int option;

	while ((option = vmsi_next_option(&vmsi_command_sweep, argc, argv)) !=
	       -1) {
		if (option == 'h')
			return vmsi_show_help(&vmsi_command_sweep, optarg);
		if (option == '?')
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		result = take_file(option, optarg, &options, &is_file);
		if (result != VMSI_EXIT_OK)
			return result;
		if (is_file)
			continue;
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
	.summary = "fail each of a program's allocations in turn",
	.help = help_text,
	.options = sweep_options,
	.notes = notes,
	.program_at = VMSI_PROGRAM_FIRST,
	.run = run_sweep,
};
