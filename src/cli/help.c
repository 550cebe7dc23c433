/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>

#include "cli.h"

static const char help_text[] =
	"usage: vmspace help [COMMAND]\n"
	"\n"
	"Tell what a command does and which arguments it takes; without a\n"
	"command, which commands there are.\n";

enum vmsi_exit vmsi_show_help(const struct vmsi_command *command)
{
	fputs(command->help, stdout);
	return vmsi_finish_output(command->program);
}

static enum vmsi_exit help_about(const char *program, const char *name)
{
	const struct vmsi_command *command = vmsi_find_command(name);

	if (!command)
		return vmsi_usage_error(program, "there is no command '%s'",
					name);
	return vmsi_show_help(command);
}

static enum vmsi_exit run_help(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	switch (getopt_long(argc, argv, "h", options, NULL)) {
	case 'h':
		return vmsi_show_help(&vmsi_command_help);
	case -1:
		break;
	default:
		return vmsi_usage_hint(argv[0]);
	}
	if (argc - optind > 1)
		return vmsi_usage_error(argv[0], "one command at a time");
	if (optind < argc)
		return help_about(argv[0], argv[optind]);
	vmsi_print_overview(stdout);
	return vmsi_finish_output(argv[0]);
}

const struct vmsi_command vmsi_command_help = {
	.name = "help",
	.program = "vmspace help",
	.summary = "tell what a command does",
	.help = help_text,
	.run = run_help,
};
