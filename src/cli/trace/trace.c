/* SPDX-License-Identifier: MIT */
#include "cli/trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/supervise/job.h"
#include "cli/supervise/supervise.h"
#include "cli/trace/group.h"
#include "cli/trace/run.h"

static const char help_text[] =
	"usage: vmspace trace -o FILE [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"Run a program and record, over time, which memory it and all its descendants\n"
	"have: each mapping, to whom it belongs, and what of it is resident or swapped.\n"
	"'vmspace report FILE' shows it.\n";

static const char notes[] =
	"What was written stays readable if the recorder is killed or the disk is full,\n"
	"and the program goes on. Exit: as PROGRAM; 2 wrong arguments, 125 nothing can\n"
	"be recorded, 126 and 127 as of env(1).\n";

enum { OPTION_EVERY = 1024, OPTION_LIMIT, OPTION_CALLS };

static const struct vmsi_option trace_options[] = {
	{ .name = "output", .value = 'o', .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE, .help = "where to record" },
	{ .name = "every", .value = OPTION_EVERY, .argument = "TIME",
	  .help = "look so often, as 10ms or 1s; without this",
	  .more = "as often as takes a hundredth of the time" },
	{ .name = "limit", .value = OPTION_LIMIT, .argument = "SIZE",
	  .help = "a limit of commit, as of 'vmspace limit'; what is",
	  .more = "refused is recorded, with stacks" },
	{ .name = "calls", .value = OPTION_CALLS,
	  .help = "record each call that asks for memory, with its",
	  .more = "stack; slows down what makes many" },
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

#define NS_LEAST UINT64_C(100000)
#define NS_MOST UINT64_C(3600000000000)

struct request {
	struct vmsi_supervise_options options;
	struct vmsi_trace trace;
};

/* A number, a fraction too, and its unit. */
static enum vmsi_exit take_time(const char *program, const char *text,
				uint64_t *time)
{
	static const struct { const char *name; double ns; } units[] = {
		{ "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
	};
	char *end;
	const double number = strtod(text, &end);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const double ns = number * units[i].ns;

		if (end == text || strcmp(end, units[i].name) != 0)
			continue;
		if (!(ns >= (double)NS_LEAST && ns <= (double)NS_MOST))
			return vmsi_usage_error(program, "'%s' is not between "
						"100us and 3600s", text);
		*time = (uint64_t)ns;
		return VMSI_EXIT_OK;
	}
	return vmsi_usage_error(program, "'%s' is not a time, as 10ms or 1s are",
				text);
}

static enum vmsi_exit take_file(const char *program, const char *path,
				const char **taken)
{
	if (*path == '-' || !*path)
		return vmsi_usage_error(program, "-o needs a file; one that begins "
					"with a dash is ./%s", path);
	*taken = path;
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_options(int argc, char **argv, struct request *request)
{
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	while (result == VMSI_EXIT_OK &&
	       (option = vmsi_next_option(&vmsi_command_trace, argc, argv)) != -1) {
		switch (option) {
		case 'o':
			result = take_file(argv[0], optarg, &request->trace.path);
			break;
		case OPTION_EVERY:
			result = take_time(argv[0], optarg, &request->trace.every);
			break;
		case OPTION_LIMIT:
			result = vmsi_supervise_take_limit(&request->options,
							   optarg);
			break;
		case OPTION_CALLS:
			request->options.grants_are_told = true;
			break;
		case 'h':
			request->options.is_done = true;
			return vmsi_show_help(&vmsi_command_trace, optarg);
		default:
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		}
	}
	return result;
}

/* Empty the file, which nobody else is recording into. Returns 0 or -errno. */
static int take_over(int file)
{
	struct stat status;

	if (fstat(file, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return 0;
	if (flock(file, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return ftruncate(file, 0) ? -errno : 0;
}

static enum vmsi_exit open_file(const char *program, struct vmsi_trace *trace)
{
	int error;

	vmsi_complain_as(program);
	trace->file = open(trace->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	error = trace->file < 0 ? -errno : take_over(trace->file);
	if (!error)
		return VMSI_EXIT_OK;
	vmsi_complain(trace->path, "%s", error == -EBUSY ?
		      "another recording is being written there" :
		      strerror(-error));
	return VMSI_EXIT_RUN_FAILED;
}

/*
 * The program of a group has a supervisor, and the recorder is beside that. Without a
 * limit the group only counts.
 */
static enum vmsi_exit find_program(struct vmsi_supervise_options *options,
				   char ***arguments, struct vmsi_program *program)
{
	enum vmsi_exit result;

	if (!options->limit_text && !options->grants_are_told) {
		options->run = vmsi_trace_run;
		options->outlived = "the recorder has ended; what follows is not "
			"recorded";
		return vmsi_supervise_look_up(options->program, arguments, program);
	}
	options->beside = &vmsi_trace_beside;
	options->quiet = true;
	if (!options->limit_text)
		options->group.policy = VMS_COMMIT_ALWAYS;
	result = vmsi_supervise_check(options);
	return result != VMSI_EXIT_OK ? result :
		vmsi_supervise_find(options->program, arguments, program);
}

static enum vmsi_exit run(struct request *request, char **arguments)
{
	struct vmsi_supervise_options *options = &request->options;
	struct vmsi_program program;
	enum vmsi_exit result = find_program(options, &arguments, &program);

	if (result != VMSI_EXIT_OK || !arguments)
		return result;
	request->trace.has_limit = options->limit_text != NULL;
	result = open_file(options->program, &request->trace);
	if (result != VMSI_EXIT_OK)
		return result;
	return (enum vmsi_exit)vmsi_job_run(options, program.path, arguments);
}

static enum vmsi_exit run_trace(int argc, char **argv)
{
	struct request request = { 0 };
	enum vmsi_exit result;

	vmsi_supervise_init(&request.options, argv[0]);
	request.options.context = &request.trace;
	result = take_options(argc, argv, &request);
	if (result != VMSI_EXIT_OK || request.options.is_done)
		return result;
	if (!request.trace.path)
		return vmsi_usage_error(argv[0], "say where to record: -o FILE");
	if (optind >= argc)
		return vmsi_usage_error(argv[0], "name a program");
	return run(&request, argv + optind);
}

const struct vmsi_command vmsi_command_trace = {
	.name = "trace",
	.program = "vmspace trace",
	.summary = "record the memory of a program over time",
	.help = help_text,
	.options = trace_options,
	.notes = notes,
	.program_at = VMSI_PROGRAM_FIRST,
	.run = run_trace,
};
