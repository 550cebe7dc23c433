/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vmspace.h>

#include "cli/command.h"
#include "cli/commit/commit.h"
#include "cli/completion/completion.h"
#include "cli/heap/heap.h"
#include "cli/maps/maps.h"
#include "cli/report/report.h"
#include "cli/top/top.h"
#ifdef VMSI_WITH_GROUP
#include "cli/fail/fail.h"
#include "cli/limit/limit.h"
#include "cli/sweep/sweep.h"
#include "cli/trace/trace.h"
#endif

#define PROGRAM "vmspace"

static const struct vmsi_command help_command;

/* All commands, in the order of the help. */
static const struct vmsi_command *const commands[] = {
#ifdef VMSI_WITH_GROUP
	&vmsi_command_limit,
#endif
	&vmsi_command_heap,
#ifdef VMSI_WITH_GROUP
	&vmsi_command_fail,
	&vmsi_command_sweep,
#endif
	&vmsi_command_maps,
	&vmsi_command_top,
	&vmsi_command_commit,
#ifdef VMSI_WITH_GROUP
	&vmsi_command_trace,
#endif
	&vmsi_command_report,
	&vmsi_command_completion,
	&help_command,
	NULL,
};

static const struct vmsi_command *find_command(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* Whether a command is missing in a build without libseccomp. */
static bool needs_libseccomp(const char *name)
{
	return strcmp(name, "limit") == 0 || strcmp(name, "fail") == 0 ||
		strcmp(name, "sweep") == 0 || strcmp(name, "trace") == 0;
}

static enum vmsi_exit refuse_command(const char *program, const char *name)
{
	if (strcmp(name, "run") == 0)
		return vmsi_usage_error(program, "there is no command 'run'; "
			"'vmspace limit SIZE' sets a limit, 'vmspace heap' puts "
			"large blocks into another heap, and 'vmspace fail' "
			"refuses requests on demand");
	if (!needs_libseccomp(name))
		return vmsi_usage_error(program, "there is no command '%s'",
					name);
	fprintf(stderr, "%s: this vmspace was built without libseccomp, and so "
		"without '%s'\n", program, name);
	return VMSI_EXIT_RUN_FAILED;
}

static void print_overview(FILE *stream)
{
	fputs("usage: vmspace COMMAND [ARGUMENTS]\n"
	      "       vmspace --help | --version\n"
	      "\n"
	      "See and manage the virtual memory of programs.\n"
	      "\n"
	      "Commands:\n", stream);
	for (size_t i = 0; commands[i]; i++)
		fprintf(stream, "  %-10s  %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("\n"
	      "'vmspace help COMMAND' tells more of one of them.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong arguments.\n", stream);
}

/* --- vmspace help --------------------------------------------------------- */

static const char help_text[] =
	"usage: vmspace help [COMMAND]\n"
	"\n"
	"Tell what a command does and which arguments it takes; without a\n"
	"command, which commands there are.\n";

static enum vmsi_exit help_about(const char *program, const char *name)
{
	const struct vmsi_command *command = find_command(name);

	return command ? vmsi_show_help(command, NULL) :
			 refuse_command(program, name);
}

static const struct vmsi_option help_options[] = {
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

static enum vmsi_exit run_help(int argc, char **argv)
{
	switch (vmsi_next_option(&help_command, argc, argv)) {
	case 'h':
		return vmsi_show_help(&help_command, optarg);
	case -1:
		break;
	default:
		return vmsi_usage_hint(argv[0]);
	}
	if (argc - optind > 1)
		return vmsi_usage_error(argv[0], "one command at a time");
	if (optind < argc)
		return help_about(argv[0], argv[optind]);
	print_overview(stdout);
	return vmsi_finish_output(argv[0]);
}

static const struct vmsi_command help_command = {
	.name = "help",
	.program = "vmspace help",
	.summary = "tell what a command does",
	.help = help_text,
	.options = help_options,
	.completion = VMSI_COMPLETE_COMMAND,
	.run = run_help,
};

/* --- the program ---------------------------------------------------------- */

static enum vmsi_exit run_command(int argc, char **argv)
{
	const struct vmsi_command *command = find_command(argv[0]);

	if (!command)
		return refuse_command(PROGRAM, argv[0]);
	/* getopt_long begins its messages with argv[0]. */
	argv[0] = (char *)command->program;
	/*
	 * With 0 getopt_long starts again; 1 would keep the '+' of main's
	 * options.
	 */
	optind = 0;
	return command->run(argc, argv);
}

static enum vmsi_exit show_version(void)
{
	printf("vmspace %s\n", vms_version());
	return vmsi_finish_output(PROGRAM);
}

static enum vmsi_exit show_overview(void)
{
	print_overview(stdout);
	return vmsi_finish_output(PROGRAM);
}

/*
 * Open /dev/null for each closed standard stream, so that no file that is opened
 * later gets its number. Its mode lets reads of input and writes of output fail
 * as before, and it is closed in a program that is executed.
 */
static void fill_closed_streams(void)
{
	for (int stream = 0; stream <= STDERR_FILENO; stream++)
		if (fcntl(stream, F_GETFD) < 0)
			(void)open("/dev/null", O_CLOEXEC |
				   (stream == STDIN_FILENO ? O_WRONLY :
							     O_RDONLY));
}

static const struct vmsi_option program_options[] = {
	{ .name = "help", .value = 'h', .help = "list the commands" },
	{ .name = "version", .value = 'V', .help = "write the version" },
	{ .name = NULL },
};

/* What stands before the command, which is the first operand. */
static const struct vmsi_command whole_program = {
	.name = PROGRAM,
	.program = PROGRAM,
	.options = program_options,
	.program_at = VMSI_PROGRAM_FIRST,
};

int main(int argc, char **argv)
{
	static const struct vmsi_commands all = {
		.list = commands,
		.options = program_options,
	};

	vmsi_set_commands(&all);
	fill_closed_streams();
	vmsi_ignore_pipe_signal();
	switch (vmsi_next_option(&whole_program, argc, argv)) {
	case 'h':
		return (int)show_overview();
	case 'V':
		return (int)show_version();
	case -1:
		break;
	default:
		return (int)vmsi_usage_hint(PROGRAM);
	}
	if (optind >= argc) {
		print_overview(stderr);
		return VMSI_EXIT_USAGE;
	}
	return (int)run_command(argc - optind, argv + optind);
}
