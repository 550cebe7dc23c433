/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vmspace.h>

#include "cli.h"

#define PROGRAM "vmspace"

const struct vmsi_command *const vmsi_commands[] = {
	&vmsi_command_maps,
	&vmsi_command_commit,
	&vmsi_command_run,
#ifdef VMSI_WITH_GROUP
	&vmsi_command_sweep,
#endif
	&vmsi_command_help,
	NULL,
};

const struct vmsi_command *vmsi_find_command(const char *name)
{
	for (size_t i = 0; vmsi_commands[i]; i++)
		if (strcmp(vmsi_commands[i]->name, name) == 0)
			return vmsi_commands[i];
	return NULL;
}

void vmsi_print_overview(FILE *stream)
{
	fputs("usage: vmspace COMMAND [ARGUMENTS]\n"
	      "       vmspace --help | --version\n"
	      "\n"
	      "See and manage the virtual memory of programs.\n"
	      "\n"
	      "Commands:\n", stream);
	for (size_t i = 0; vmsi_commands[i]; i++)
		fprintf(stream, "  %-8s %s\n", vmsi_commands[i]->name,
			vmsi_commands[i]->summary);
	fputs("\n"
	      "'vmspace help COMMAND' tells more of one of them.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong arguments.\n", stream);
}

static enum vmsi_exit run_command(int argc, char **argv)
{
	const struct vmsi_command *command = vmsi_find_command(argv[0]);

	if (!command)
		return vmsi_usage_error(PROGRAM, "there is no command '%s'",
					argv[0]);
	/* getopt_long puts argv[0] before what it has to say. */
	argv[0] = (char *)command->program;
	/* 0 makes getopt_long begin anew; 1 would keep the '+' of main. */
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
	vmsi_print_overview(stdout);
	return vmsi_finish_output(PROGRAM);
}

static void (*pipe_handler)(int);

/* A reader that goes away is an error of write(2), not our death. */
static void set_signals(void)
{
	pipe_handler = signal(SIGPIPE, SIG_IGN);
}

void vmsi_restore_signals(void)
{
	signal(SIGPIPE, pipe_handler);
}

/*
 * Where a standard stream is closed, what is opened next must not pass for it.
 * Reading and writing fail as before, and a program that is run has none.
 */
static void fill_closed_streams(void)
{
	for (int stream = 0; stream <= STDERR_FILENO; stream++)
		if (fcntl(stream, F_GETFD) < 0)
			(void)open("/dev/null", O_CLOEXEC |
				   (stream == STDIN_FILENO ? O_WRONLY :
							     O_RDONLY));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};

	fill_closed_streams();
	set_signals();
	switch (getopt_long(argc, argv, "+hV", options, NULL)) {
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
		vmsi_print_overview(stderr);
		return VMSI_EXIT_USAGE;
	}
	return (int)run_command(argc - optind, argv + optind);
}
