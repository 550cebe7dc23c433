/* SPDX-License-Identifier: MIT */
#include "cli/fail/fail.h"

#include <unistd.h>

#include "cli/supervise/supervise.h"

static const char help_text[] =
	"usage: vmspace fail --nth=N|--from=N|--prob=P|--size=SIZE [OPTION...] [--]\n"
	"                    PROGRAM [ARGUMENT...]\n"
	"\n"
	"Run a program, and refuse requests for memory of it and its descendants as if\n"
	"there were none. What was refused is told at the end, on standard error.\n";

static const char notes[] =
	"'vmspace sweep' refuses each request in turn. Exit status: that of the\n"
	"program; 2 wrong arguments, 125 requests cannot be refused here, 126 the\n"
	"program cannot be run, 127 there is no such program.\n";

static const struct vmsi_option fail_options[] = {
	{ .name = "nth", .value = VMSI_OPTION_NTH, .argument = "N",
	  .help = "refuse the Nth request" },
	{ .name = "from", .value = VMSI_OPTION_FROM, .argument = "N",
	  .help = "the Nth, and all after it" },
	{ .name = "prob", .value = VMSI_OPTION_PROB, .argument = "P",
	  .help = "each with this chance, from 0 to 1" },
	{ .name = "size", .value = VMSI_OPTION_SIZE, .argument = "SIZE",
	  .help = "count only requests of at least SIZE; alone:",
	  .more = "refuse them all" },
	{ .name = "loader", .value = VMSI_OPTION_LOADER,
	  .help = "count what the dynamic loader asks for, too" },
	{ .name = "seed", .value = VMSI_OPTION_SEED, .argument = "N",
	  .help = "of the chances; 0" },
	{ .name = "limit", .value = VMSI_OPTION_LIMIT, .argument = "SIZE",
	  .help = "and let them commit at most SIZE together" },
	VMSI_COUNTING_OPTIONS(VMSI_OPTION_IS_RARE),
	VMSI_TELLING_OPTIONS,
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

static bool refuses(const struct vms_group_faults *faults)
{
	return faults->nth || faults->from || faults->probability > 0 ||
		faults->minimum;
}

static enum vmsi_exit run_fail(int argc, char **argv)
{
	struct vmsi_supervise_options options;
	enum vmsi_exit result;

	vmsi_supervise_init(&options, argv[0]);
	result = vmsi_supervise_take_options(&options, argc, argv,
					     &vmsi_command_fail);
	if (result != VMSI_EXIT_OK || options.is_done)
		return result;
	if (!refuses(&options.group.faults))
		return vmsi_usage_error(argv[0], "say what to refuse: --nth, "
					"--from, --prob or --size");
	if (!options.limit_text)
		options.group.policy = VMS_COMMIT_ALWAYS;
	return vmsi_supervise(&options, argv + optind);
}

const struct vmsi_command vmsi_command_fail = {
	.name = "fail",
	.program = "vmspace fail",
	.summary = "run a program and refuse some of its requests for memory",
	.help = help_text,
	.options = fail_options,
	.notes = notes,
	.program_at = VMSI_PROGRAM_FIRST,
	.run = run_fail,
};
