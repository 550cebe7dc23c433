/* SPDX-License-Identifier: MIT */
#include "cli/fail/fail.h"

#include <getopt.h>

#include "cli/supervise/supervise.h"

static const char help_text[] =
	"usage: vmspace fail --nth=N|--from=N|--prob=P|--size=SIZE [OPTION...] [--]\n"
	"                    PROGRAM [ARGUMENT...]\n"
	"\n"
	"Run a program, and refuse requests for memory of it and its descendants as if\n"
	"there were none. What was refused is told at the end, on standard error.\n"
	"\n"
	"  --nth=N       refuse the Nth request\n"
	"  --from=N      the Nth, and all after it\n"
	"  --prob=P      each with this chance, from 0 to 1\n"
	"  --size=SIZE   count only requests of at least SIZE; alone: refuse them all\n"
	"  --loader      count what the dynamic loader asks for, too\n"
	"  --seed=N      of the chances; 0\n"
	"  --limit=SIZE  and let them commit at most SIZE together\n"
	"  --policy=POLICY, --fork=charge|free, --noreserve=charge|free,\n"
	"  --report=FILE, --log, --quiet\n"
	"                as of 'vmspace limit'\n"
	"  -h, --help    this text\n"
	"\n"
	"'vmspace sweep' refuses each request in turn. Exit status: that of the\n"
	"program; 2 wrong arguments, 125 requests cannot be refused here, 126 the\n"
	"program cannot be run, 127 there is no such program.\n";

static enum vmsi_exit take_options(int argc, char **argv,
				   struct vmsi_supervise_options *options)
{
	static const struct option table[] = {
		VMSI_SUPERVISE_OPTIONS,
		{ "limit", required_argument, NULL, VMSI_OPTION_LIMIT },
		{ "nth", required_argument, NULL, VMSI_OPTION_NTH },
		{ "from", required_argument, NULL, VMSI_OPTION_FROM },
		{ "prob", required_argument, NULL, VMSI_OPTION_PROB },
		{ "size", required_argument, NULL, VMSI_OPTION_SIZE },
		{ "loader", no_argument, NULL, VMSI_OPTION_LOADER },
		{ "seed", required_argument, NULL, VMSI_OPTION_SEED },
		{ NULL, 0, NULL, 0 },
	};

	return vmsi_supervise_take_options(options, argc, argv, table,
					   &vmsi_command_fail);
}

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
	result = take_options(argc, argv, &options);
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
	.run = run_fail,
};
