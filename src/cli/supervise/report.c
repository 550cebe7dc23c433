/* SPDX-License-Identifier: MIT */
#include "cli/supervise/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/output/demangle.h"
#include "cli/output/report_file.h"
#include "cli/supervise/snapshot.h"

/*
 * The most refusals that are told one by one in the file. A program may be refused
 * again and again: further ones count in their stacks alone.
 */
#define KEPT_MOST ((size_t)10000)

struct vmsi_report {
	const struct vmsi_supervise_options *options;
	const struct vmsi_warning *warning;
	char **arguments;
	struct vmsi_tally tally;
	uint64_t written; /* how many attempts and warnings the file has */
};

static enum vmsi_limited limited(const struct vmsi_report *report)
{
	return report->options->limit_text ? VMSI_LIMITED : VMSI_UNLIMITED;
}

struct vmsi_report *
vmsi_report_open(const struct vmsi_supervise_options *options,
		 const struct vmsi_warning *warning, char **arguments)
{
	struct vmsi_report *report = calloc(1, sizeof *report);

	if (!report)
		return NULL;
	report->options = options;
	report->warning = warning;
	report->arguments = arguments;
	report->tally.kept_most = options->report ? KEPT_MOST : 0;
	return report;
}

void vmsi_report_close(struct vmsi_report *report)
{
	if (!report)
		return;
	vmsi_tally_free(&report->tally);
	free(report);
}

static void log_refusal(const struct vmsi_report *report,
			const struct vms_group_refusal *refusal)
{
	struct vmsi_errors *errors = report->warning->errors;
	FILE *stream = vmsi_errors_begin(errors);
	char *backtrace;

	if (!stream)
		return;
	backtrace = refusal->backtrace ?
		vmsi_demangle_backtrace(refusal->backtrace) : NULL;
	vmsi_write_refusal(stream, refusal, backtrace, limited(report));
	free(backtrace);
	vmsi_errors_end(errors, VMSI_ERRORS_ANY);
}

void vmsi_report_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	struct vmsi_report *report = context;

	(void)group;
	if (vmsi_tally_add(&report->tally, refusal) && report->options->log)
		log_refusal(report, refusal);
}

/* --- the end ------------------------------------------------------------ */

static size_t unrefusable(const struct vmsi_report *report,
			  const struct vms_group_stats *stats)
{
	return report->options->group.policy == VMS_COMMIT_STRICT &&
		stats->committed_peak > stats->highest_limit ?
		stats->committed_peak - stats->highest_limit : 0;
}

/* Where memory is short the snapshot has only the first processes. */
static struct vmsi_snapshot take_snapshot(struct vmsi_report *report,
					  vms_group *group)
{
	struct vmsi_snapshot snapshot = {
		.program = report->options->program,
		.arguments = report->arguments,
		.limited = limited(report),
		.tally = &report->tally,
		.warning = report->warning,
	};

	(void)vmsi_snapshot_take(&snapshot, group);
	snapshot.unrefusable = unrefusable(report, &snapshot.stats);
	return snapshot;
}

/* How much of what is counted came one by one. */
static uint64_t told(const struct vmsi_snapshot *snapshot)
{
	uint64_t sum = snapshot->stats.refusals;

	for (int i = 0; i < VMSI_STAGES; i++)
		sum += snapshot->warning->counts[i];
	return sum;
}

static void write_file(struct vmsi_report *report,
		       const struct vmsi_snapshot *snapshot)
{
	json_t *all = vmsi_snapshot_json(snapshot);

	report->written = told(snapshot);
	if (all)
		(void)vmsi_report_write(all, report->options->report);
	json_decref(all);
}

static void write_sum(const struct vmsi_report *report,
		      const struct vmsi_snapshot *snapshot)
{
	struct vmsi_errors *errors = report->warning->errors;
	FILE *stream = vmsi_errors_begin(errors);

	if (!stream)
		return;
	vmsi_snapshot_write_text(stream, snapshot, report->options->log ?
				 VMSI_DETAIL_SUM : VMSI_DETAIL_STACKS);
	vmsi_errors_end(errors, VMSI_ERRORS_KEPT);
}

void vmsi_report_finish(struct vmsi_report *report, vms_group *group)
{
	const struct vmsi_supervise_options *options = report->options;
	struct vmsi_snapshot snapshot = take_snapshot(report, group);

	if (options->report)
		write_file(report, &snapshot);
	if (!options->quiet)
		write_sum(report, &snapshot);
	vmsi_snapshot_free(&snapshot);
}

void vmsi_report_update(struct vmsi_report *report, vms_group *group)
{
	struct vmsi_snapshot snapshot;

	if (!report->options->report)
		return;
	snapshot = take_snapshot(report, group);
	if (told(&snapshot) > report->written)
		write_file(report, &snapshot);
	vmsi_snapshot_free(&snapshot);
}
