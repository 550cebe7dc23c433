/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/commit/commit_read.h"
#include "cli/commit/what_if.h"

static const char help_text[] =
	"usage: vmspace commit [-abej] [--what-if=SETTINGS]\n"
	"\n"
	"Show how much memory the kernel has promised, what it holds requests\n"
	"to, what is left for you, and the budgets in use.\n";

static const char notes[] =
	"Exit status: 1 if something could not be read; the rest is shown.\n";

#define OPTION_WHAT_IF 256

static const struct vmsi_option commit_options[] = {
	{ .name = "audit", .value = 'a',
	  .help = "who holds what is promised: processes, shared memory" },
	{ .name = "explain", .value = 'e',
	  .help = "how the limit is worked out, in steps" },
	{ .name = "what-if", .value = OPTION_WHAT_IF, .argument = "SETTINGS",
	  .completion = VMSI_COMPLETE_LIST,
	  .words = "mode=0 mode=1 mode=2 ratio= kbytes= ram= swap=",
	  .help = "with other settings, as mode=2,ratio=80, and whom",
	  .more = "they refuse: mode, ratio, kbytes, ram, swap" },
	VMSI_OPTION_TELL_BYTES('b'),
	{ .name = "json", .value = 'j', .help = "write JSON, for programs" },
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

/* Of an audit's processes so many are named, and of those of a supposition. */
#define HOLDERS_NAMED 20
#define REFUSALS_SHOWN 10

struct request {
	enum { FORM_TEXT, FORM_JSON } form;
	enum vmsi_size_style style;
	bool audits, explains;
	const char *what_if; /* NULL: nothing */
};

/*
 * Read the options into arguments. Returns -1 when all were read, 'h' where help
 * was asked for, or '?' after getopt_long has complained of one.
 */
static int parse_options(int argc, char **argv, struct request *arguments)
{
	int option;

	while ((option = vmsi_next_option(&vmsi_command_commit, argc, argv)) > 0) {
		if (option == 'a')
			arguments->audits = true;
		else if (option == 'b')
			arguments->style = VMSI_SIZE_BYTES;
		else if (option == 'e')
			arguments->explains = true;
		else if (option == 'j')
			arguments->form = FORM_JSON;
		else if (option == OPTION_WHAT_IF)
			arguments->what_if = optarg;
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
	if (report->audit_error) {
		complain("looking at processes", report->audit_error);
		result = VMSI_EXIT_FAILED;
	}
	return result;
}

static void write_text(const struct vmsi_commit_report *report,
		       const struct request *arguments)
{
	vmsi_commit_write_summary(report, arguments->style);
	if (arguments->explains)
		vmsi_commit_write_arithmetic(report, arguments->style);
	if (report->sources.is_supposed && !report->audit_error)
		vmsi_commit_write_refusals(report, REFUSALS_SHOWN,
					   arguments->style);
	if (report->is_audited && !report->audit_error)
		vmsi_commit_write_audit(&report->audit, HOLDERS_NAMED,
					arguments->style);
	vmsi_commit_write_budgets(report, arguments->style);
}

static enum vmsi_exit write_report(const char *program,
				   const struct vmsi_commit_report *report,
				   const struct request *arguments)
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
		write_text(report, arguments);
	}
	written = vmsi_finish_output(program);
	return written == VMSI_EXIT_OK ? unread : written;
}

/* Returns 0 or -ENOMEM: what else cannot be read is told, and the rest shown. */
static int read_report(struct vmsi_commit_report *report,
		       const struct request *arguments)
{
	int error = vmsi_commit_group_read(&report->group);

	report->figures = vmsi_commit_work_out(&report->sources);
	report->budgets_error = vmsi_budget_list_read(&report->budgets);
	report->is_audited = arguments->audits;
	if (arguments->audits || report->sources.is_supposed)
		report->audit_error = vmsi_audit_read(&report->audit);
	if (report->sources.is_supposed && !report->audit_error &&
	    vmsi_refusals_read(&report->refusals, &report->figures,
			       &report->audit))
		return -ENOMEM;
	if (report->budgets_error == -ENOMEM || report->audit_error == -ENOMEM)
		error = -ENOMEM;
	return error;
}

static enum vmsi_exit show_commit(const char *program,
				  const struct request *arguments)
{
	struct vmsi_commit_report report = { 0 };
	enum vmsi_exit result = VMSI_EXIT_FAILED;
	const char *wrong = NULL;

	vmsi_commit_read(&report.sources);
	if (arguments->what_if)
		wrong = vmsi_what_if(arguments->what_if, &report.sources);
	if (wrong)
		return vmsi_usage_error(program, "--what-if: '%s' is not understood",
					wrong);
	if (read_report(&report, arguments))
		complain("looking for processes", -ENOMEM);
	else
		result = write_report(program, &report, arguments);
	vmsi_budget_list_free(&report.budgets);
	vmsi_refusals_free(&report.refusals);
	vmsi_audit_free(&report.audit);
	vmsi_commit_group_free(&report.group);
	return result;
}

static enum vmsi_exit run_commit(int argc, char **argv)
{
	struct request arguments = { .form = FORM_TEXT };

	switch (parse_options(argc, argv, &arguments)) {
	case -1:
		break;
	case 'h':
		return vmsi_show_help(&vmsi_command_commit, optarg);
	default:
		return vmsi_option_hint(argv[0], argv[optind - 1]);
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
	.options = commit_options,
	.notes = notes,
	.run = run_commit,
};
