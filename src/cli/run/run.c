/* SPDX-License-Identifier: MIT */
#include "cli/run/run.h"

#include <getopt.h>
#include <stdbool.h>

#include "cli/heap/heap.h"
#include "cli/heap/options.h"
#ifdef VMSI_WITH_GROUP
#include "cli/supervise/supervise.h"
#endif

/* The older way to say 'vmspace limit', 'vmspace heap' and 'vmspace fail'. */

static const char help_text[] =
	"usage: vmspace run --heap|--commit=SIZE [OPTION...] [--] PROGRAM "
	"[ARGUMENT...]\n"
	"\n"
	"The older way to say 'vmspace limit SIZE', 'vmspace heap' and both, 'vmspace\n"
	"limit SIZE -- vmspace heap'. It takes their options, and those of 'vmspace\n"
	"fail' as --fail-nth, --fail-from, --fail-prob, --fail-size, --fail-loader.\n";

#define OPTION_HEAP 128
#define OPTION_EXPLAIN 129

static const struct option table[] = {
	VMSI_HEAP_OPTIONS,
	{ "heap", no_argument, NULL, OPTION_HEAP },
#ifdef VMSI_WITH_GROUP
	VMSI_SUPERVISE_OPTIONS,
	{ "commit", required_argument, NULL, VMSI_OPTION_LIMIT },
	{ "fail-nth", required_argument, NULL, VMSI_OPTION_NTH },
	{ "fail-from", required_argument, NULL, VMSI_OPTION_FROM },
	{ "fail-prob", required_argument, NULL, VMSI_OPTION_PROB },
	{ "fail-size", required_argument, NULL, VMSI_OPTION_SIZE },
	{ "fail-loader", no_argument, NULL, VMSI_OPTION_LOADER },
	{ "seed", required_argument, NULL, VMSI_OPTION_SEED },
#endif
	{ NULL, 0, NULL, 0 },
};

/* What was asked for. */
struct asked {
	bool heap, help;
#ifdef VMSI_WITH_GROUP
	bool supervise;
	struct vmsi_supervise_options options;
#endif
};

static enum vmsi_exit take_option(struct asked *asked, const char *program,
				  int option)
{
	if (option == OPTION_HEAP)
		asked->heap = true;
	else if (option >= VMSI_HEAP_THRESHOLD && option <= VMSI_HEAP_STATS)
		return vmsi_heap_take_option(program, option);
#ifdef VMSI_WITH_GROUP
	else {
		asked->supervise = true;
		return vmsi_supervise_take_option(&asked->options, option,
						  optarg);
	}
#endif
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_options(int argc, char **argv, struct asked *asked)
{
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	while (result == VMSI_EXIT_OK &&
	       (option = getopt_long(argc, argv, "+h", table, NULL)) != -1) {
		if (option == '?')
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		asked->help = option == 'h';
		if (asked->help)
			return vmsi_show_help(&vmsi_command_run);
		result = take_option(asked, argv[0], option);
	}
	return result;
}

static enum vmsi_exit execute(struct asked *asked, const char *command,
			      char **arguments)
{
	struct vmsi_program program;
	enum vmsi_exit result = VMSI_EXIT_OK;

	if (asked->heap)
		result = vmsi_heap_prepare(*arguments, &program);
	if (result != VMSI_EXIT_OK)
		return result;
#ifdef VMSI_WITH_GROUP
	if (asked->supervise && !asked->options.limit_text)
		return vmsi_usage_error(command, "these options need --commit");
	if (asked->supervise)
		return vmsi_supervise(&asked->options, arguments);
#endif
	if (!asked->heap)
		return vmsi_usage_error(command, "nothing to run it with: say "
					"--heap or --commit");
	return vmsi_heap_execute(&program, arguments);
}

static enum vmsi_exit run_run(int argc, char **argv)
{
	struct asked asked = { .heap = false };
	enum vmsi_exit result;

	vmsi_complain_as(argv[0]);
#ifdef VMSI_WITH_GROUP
	vmsi_supervise_init(&asked.options, argv[0]);
#endif
	result = take_options(argc, argv, &asked);
	if (result != VMSI_EXIT_OK || asked.help)
		return result;
	if (optind >= argc)
		return vmsi_usage_error(argv[0], "name a program");
	return execute(&asked, argv[0], argv + optind);
}

const struct vmsi_command vmsi_command_run = {
	.name = "run",
	.program = "vmspace run",
	.summary = "the older way to say limit, heap and fail",
	.help = help_text,
	.run = run_run,
};
