/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/commit/commit_read.h"

static const char help_text[] =
	"usage: vmspace commit [-bj]\n"
	"\n"
	"Show how much memory the kernel has promised, what it holds requests\n"
	"to, and the budgets in use.\n"
	"\n"
	"  -b, --bytes  amounts in bytes\n"
	"  -j, --json   write JSON, for programs\n"
	"  -h, --help   this text\n"
	"\n"
	"Shown are, each as a sum that can be checked:\n"
	"  policy           vm.overcommit_memory, in words\n"
	"  largest request  mode 0: what is larger gets ENOMEM\n"
	"  commit limit     of RAM, huge pages, swap, vm.overcommit_ratio or\n"
	"                   vm.overcommit_kbytes\n"
	"  left             of the limit, for a process of yours: less the\n"
	"                   reserves and what is promised (Committed_AS)\n"
	"  budgets          of several processes: limit, charge, refusals,\n"
	"                   and who has them open\n"
	"\n"
	"Exit status: 1 if something could not be read; the rest is shown.\n";

struct commit_options {
	enum { FORM_TEXT, FORM_JSON } form;
	enum vmsi_size_style style;
};

/*
 * Read the options into arguments. Returns -1 when all were read, 'h' where help
 * was asked for, or '?' after getopt_long has complained of one.
 */
static int parse_options(int argc, char **argv, struct commit_options *arguments)
{
	static const struct option options[] = {
		{ "bytes", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "bhj", options, NULL)) > 0) {
		if (option == 'b')
			arguments->style = VMSI_SIZE_BYTES;
		else if (option == 'j')
			arguments->form = FORM_JSON;
		else
			return option;
	}
	return -1;
}

static void complain(const char *what, int error)
{
	fprintf(stderr, "vmspace commit: %s: %s\n", what,
		vmsi_commit_why(error));
}

/*
 * Name on standard error what could not be read; the report has no figures of
 * that.
 */
static enum vmsi_exit tell_unread(const struct vmsi_commit_report *report)
{
	const struct vmsi_commit_sources *sources = &report->sources;
	enum vmsi_exit result = VMSI_EXIT_OK;

	for (size_t i = 0; i < VMSI_VM_SETTINGS; i++) {
		if (!sources->settings[i].error)
			continue;
		complain(vmsi_vm_setting_paths[i], sources->settings[i].error);
		result = VMSI_EXIT_FAILED;
	}
	if (sources->meminfo_error) {
		complain(vmsi_meminfo_path, sources->meminfo_error);
		result = VMSI_EXIT_FAILED;
	}
	if (report->budgets_error) {
		complain("looking for budgets", report->budgets_error);
		result = VMSI_EXIT_FAILED;
	}
	return result;
}

static enum vmsi_exit write_report(const char *program,
				   const struct vmsi_commit_report *report,
				   const struct commit_options *arguments)
{
	enum vmsi_exit unread = tell_unread(report);
	enum vmsi_exit written;

	if (arguments->form == FORM_JSON) {
		int error = vmsi_commit_write_json(report);

		if (error) {
			complain("writing", error);
			return VMSI_EXIT_FAILED;
		}
	} else {
		vmsi_commit_write_text(report, arguments->style);
	}
	written = vmsi_finish_output(program);
	return written == VMSI_EXIT_OK ? unread : written;
}

static enum vmsi_exit show_commit(const char *program,
				  const struct commit_options *arguments)
{
	struct vmsi_commit_report report = { 0 };
	enum vmsi_exit result = VMSI_EXIT_FAILED;

	vmsi_commit_read(&report.sources);
	report.figures = vmsi_commit_work_out(&report.sources);
	report.budgets_error = vmsi_budget_list_read(&report.budgets);
	if (report.budgets_error == -ENOMEM)
		complain("looking for budgets", -ENOMEM);
	else
		result = write_report(program, &report, arguments);
	vmsi_budget_list_free(&report.budgets);
	return result;
}

static enum vmsi_exit run_commit(int argc, char **argv)
{
	struct commit_options arguments = { .form = FORM_TEXT };

	switch (parse_options(argc, argv, &arguments)) {
	case -1:
		break;
	case 'h':
		return vmsi_show_help(&vmsi_command_commit);
	default:
		return vmsi_usage_hint(argv[0]);
	}
	if (optind < argc)
		return vmsi_usage_error(argv[0], "'%s' is one too many",
					argv[optind]);
	return show_commit(argv[0], &arguments);
}

const struct vmsi_command vmsi_command_commit = {
	.name = "commit",
	.program = "vmspace commit",
	.summary = "show the machine's commit limit, and budgets",
	.help = help_text,
	.run = run_commit,
};
