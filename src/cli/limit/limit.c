/* SPDX-License-Identifier: MIT */
#include "cli/limit/limit.h"

#include <errno.h>
#include <unistd.h>

#include "cli/limit/by_kernel.h"
#include "cli/limit/live.h"
#include "cli/output/size.h"
#include "cli/supervise/supervise.h"

static const char help_text[] =
	"usage: vmspace limit SIZE [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"       vmspace limit [--json] [--follow | --set] [NAME | PID] [SIZE]\n"
	"       vmspace limit --cgroup=DIRECTORY SIZE|none\n"
	"Run a program that commits at most SIZE, together with all its descendants.\n"
	"What does not fit gets ENOMEM at once, and nobody is killed. Without a program:\n"
	"list running groups, set the limit of one, or follow one.\n";

static const char notes[] =
	"SIZE: bytes, or with K, M, G, T; cgroup or cgroup:90%; ram:50%. Exit status:\n"
	"as PROGRAM; 2 wrong arguments, 125 no limit can be kept, 126, 127 as of env(1).\n";

static const struct vmsi_option limit_options[] = {
	VMSI_COUNTING_OPTIONS(0),
	VMSI_WARN_OPTIONS,
	{ .name = "backend", .value = VMSI_OPTION_BACKEND,
	  .argument = "supervisor|bpf", .completion = VMSI_COMPLETE_WORDS,
	  .words = "supervisor bpf",
	  .help = "bpf: the kernel keeps the limit; root" },
	{ .name = "cgroup", .value = VMSI_OPTION_CGROUP, .argument = "DIRECTORY",
	  .completion = VMSI_COMPLETE_DIRECTORY,
	  .help = "the kernel keeps it, for a control group; root" },
	{ .name = "name", .value = VMSI_OPTION_NAME, .argument = "NAME",
	  .help = "that the group is listed by; the program's" },
	VMSI_TELLING_OPTIONS,
	{ .name = "json", .value = VMSI_OPTION_JSON,
	  .help = "list running groups as JSON" },
	{ .name = "set", .value = VMSI_OPTION_SET, .argument = "SIZE",
	  .help = "set the limit of a running group" },
	{ .name = "follow", .value = VMSI_OPTION_FOLLOW,
	  .help = "tell what a running group does" },
	{ .name = "explain", .value = VMSI_OPTION_EXPLAIN,
	  .help = "tell what a limit sees and misses here" },
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

static void explain_cgroup(void)
{
	const struct vmsi_limit_source cgroup = {
		.kind = VMSI_LIMIT_CGROUP, .parts = 1 };

	if (!vmsi_limit_has_cgroup())
		puts("  cgroup     no control group limits the memory here");
	else
		printf("  cgroup     %s: what 'vmspace limit cgroup' is here\n",
		       vmsi_told_size(vmsi_limit_source_bytes(&cgroup)).text);
}

static enum vmsi_exit explain(const char *program)
{
	const int error = vms_group_probe() ? errno : 0;

	printf("A limit %s%s.\n", error ? "cannot be kept here: " :
					  "can be kept here",
	       error ? vmsi_supervise_why_not(error) : "");
	explain_cgroup();
	fputs("  limits     the sum of all processes that the program starts\n"
	      "  sees       mmap, mprotect, mremap, brk, fork, shmget of every\n"
	      "             process, static or dynamic, before they are made\n"
	      "  sees late  stacks that grow, tmpfs and memfd pages that are\n"
	      "             touched, the data of a program that is executed:\n"
	      "             they count from the next look on\n"
	      "  misses     processes of another user that it may not look at;\n"
	      "             32-bit programs do not run in it, set-user-ID ones\n"
	      "             gain no rights in it\n", stdout);
	vmsi_by_kernel_explain();
	return vmsi_finish_output(program);
}

/* Take options up to the first argument that is none. */
static enum vmsi_exit take_options(int argc, char **argv,
				   struct vmsi_supervise_options *options)
{
	enum vmsi_exit result =
		vmsi_supervise_take_options(options, argc, argv,
					    &vmsi_command_limit);

	if (result != VMSI_EXIT_OK || options->is_done || !options->explain)
		return result;
	options->is_done = true;
	return explain(argv[0]);
}

static bool is_live(const struct vmsi_supervise_options *options)
{
	return options->json || options->set || options->follow;
}

/* Where nothing was named, and nothing was said of how a program is run. */
static bool asks_for_list(const struct vmsi_supervise_options *options)
{
	return !options->has_run_option && !options->by_kernel;
}

static enum vmsi_exit refuse_both(const char *program)
{
	return vmsi_usage_error(program, "--json, --set and --follow are about "
				"groups that run, and run no program");
}

/* Further options may stand before and behind the name of the group, or NULL. */
static enum vmsi_exit run_live(int argc, char **argv,
			       struct vmsi_supervise_options *options,
			       const char *group)
{
	struct vmsi_live_request request = { .program = argv[0],
		.group = group };

	if (!group && optind < argc) {
		enum vmsi_exit result;

		request.group = argv[optind++];
		result = take_options(argc, argv, options);
		if (result != VMSI_EXIT_OK || options->is_done)
			return result;
	}
	if (optind < argc)
		return vmsi_usage_error(argv[0], "'%s' is one too many",
					argv[optind]);
	if (options->has_run_option)
		return refuse_both(argv[0]);
	if (options->set && options->follow)
		return vmsi_usage_error(argv[0], "either --set or --follow");
	request.form = options->json ? VMSI_LIVE_JSON : VMSI_LIVE_TEXT;
	if (options->set)
		return vmsi_live_set(&request, options->set);
	if (options->follow)
		return vmsi_live_follow(&request);
	if (request.group)
		return vmsi_usage_error(argv[0], "say what to do with '%s': "
					"--set=SIZE or --follow",
					request.group);
	return vmsi_live_list(&request);
}

/* A control group that exists already, and its limit, or NULL where it is yet to come. */
static enum vmsi_exit set_cgroup(int argc, char **argv,
				 struct vmsi_supervise_options *options,
				 const char *size)
{
	if (!size && optind < argc) {
		enum vmsi_exit result;

		size = argv[optind++];
		result = take_options(argc, argv, options);
		if (result != VMSI_EXIT_OK || options->is_done)
			return result;
	}
	if (!size)
		return vmsi_usage_error(argv[0], "say how much, or 'none'");
	if (!options->cgroup[0])
		return vmsi_usage_error(argv[0], "name a control group's "
					"directory");
	if (optind < argc)
		return vmsi_usage_error(argv[0], "--cgroup runs no program; '%s' is "
					"one too many", argv[optind]);
	if (is_live(options) || options->has_run_option)
		return vmsi_usage_error(argv[0], "--cgroup goes with no other "
					"option than --backend");
	return vmsi_by_kernel_set(argv[0], options->cgroup, size);
}

static enum vmsi_exit run_by_kernel(const struct vmsi_supervise_options *options,
				    char **arguments)
{
	enum vmsi_exit result = vmsi_supervise_check(options);

	if (result != VMSI_EXIT_OK)
		return result;
	if (options->has_run_option)
		return vmsi_usage_error(options->program, "--backend=bpf has none of "
					"the supervisor's options");
	if (options->source.kind == VMSI_LIMIT_CGROUP)
		return vmsi_usage_error(options->program, "--backend=bpf takes a size: "
					"nothing stays that would follow 'cgroup'");
	return vmsi_by_kernel_run(options->program, options->group.commit_limit,
				  arguments);
}

/* The size may stand before, between and after the options. */
static enum vmsi_exit run_limit(int argc, char **argv)
{
	struct vmsi_supervise_options options;
	enum vmsi_exit result;
	const char *word;

	vmsi_supervise_init(&options, argv[0]);
	result = take_options(argc, argv, &options);
	if (result != VMSI_EXIT_OK || options.is_done)
		return result;
	if (options.cgroup)
		return set_cgroup(argc, argv, &options, NULL);
	if (is_live(&options) || (optind == argc && asks_for_list(&options)))
		return run_live(argc, argv, &options, NULL);
	if (optind >= argc)
		return vmsi_usage_error(argv[0], "say how much, and name a "
					"program");
	/* A size; or a group, as in "build --set=3G". */
	word = argv[optind++];
	result = take_options(argc, argv, &options);
	if (result != VMSI_EXIT_OK || options.is_done)
		return result;
	if (options.cgroup)
		return set_cgroup(argc, argv, &options, word);
	if (is_live(&options))
		return optind < argc ? refuse_both(argv[0]) :
			run_live(argc, argv, &options, word);
	result = vmsi_supervise_take_limit(&options, word);
	if (result != VMSI_EXIT_OK)
		return result;
	return options.by_kernel ? run_by_kernel(&options, argv + optind) :
		vmsi_supervise(&options, argv + optind);
}

const struct vmsi_command vmsi_command_limit = {
	.name = "limit",
	.program = "vmspace limit",
	.summary = "run a program and its descendants under a commit limit",
	.help = help_text,
	.options = limit_options,
	.notes = notes,
	.program_at = VMSI_PROGRAM_SECOND,
	.completion = VMSI_COMPLETE_WORDS,
	.words = "cgroup",
	.run = run_limit,
};
