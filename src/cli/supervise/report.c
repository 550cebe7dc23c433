/* SPDX-License-Identifier: MIT */
#include "cli/supervise/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/report_file.h"
#include "cli/supervise/snapshot.h"

/*
 * The most refusals that are kept for the file and shown as text. A program may
 * be refused again and again: further ones are only counted.
 */
#define KEPT_MOST ((size_t)10000)
#define SHOWN_MOST ((size_t)20)

struct vmsi_report {
	const struct vmsi_supervise_options *options;
	char **arguments;
	struct vmsi_refusal *refusals; /* the first ones, kept of them */
	size_t kept;
	uint64_t count;
	uint64_t written; /* what count was when the file was written */
};

static enum vmsi_limited limited(const struct vmsi_report *report)
{
	return report->options->limit_text ? VMSI_LIMITED : VMSI_UNLIMITED;
}

struct vmsi_report *
vmsi_report_open(const struct vmsi_supervise_options *options,
		 char **arguments)
{
	struct vmsi_report *report = calloc(1, sizeof *report);

	if (!report)
		return NULL;
	report->options = options;
	report->arguments = arguments;
	report->refusals = calloc(options->report ? KEPT_MOST : SHOWN_MOST,
				  sizeof *report->refusals);
	if (report->refusals)
		return report;
	free(report);
	errno = ENOMEM;
	return NULL;
}

void vmsi_report_close(struct vmsi_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->kept; i++)
		free((char *)report->refusals[i].told.backtrace);
	free(report->refusals);
	free(report);
}

static bool is_kept(const struct vmsi_report *report)
{
	if (report->options->report)
		return report->kept < KEPT_MOST;
	return !report->options->log && report->kept < SHOWN_MOST;
}

void vmsi_report_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	struct vmsi_report *report = context;
	struct vmsi_refusal told = {
		.told = *refusal,
		.largest = vmsi_largest_find(group),
	};

	report->count++;
	if (report->options->log)
		vmsi_write_refusal(stderr, &told, limited(report));
	if (!is_kept(report))
		return;
	/*
	 * Without memory for a copy this refusal has no backtrace in the report.
	 */
	told.told.backtrace = refusal->backtrace ?
		strdup(refusal->backtrace) : NULL;
	told.told.why_no_backtrace = NULL;
	report->refusals[report->kept++] = told;
}

/* --- the end ------------------------------------------------------------ */

static size_t unrefusable(const struct vmsi_report *report,
			  const struct vms_group_stats *stats)
{
	return report->options->group.policy == VMS_COMMIT_STRICT &&
		stats->peak > stats->highest_limit ?
		stats->peak - stats->highest_limit : 0;
}

/* Where memory is short the snapshot has only the first processes. */
static struct vmsi_snapshot take_snapshot(const struct vmsi_report *report,
					  vms_group *group)
{
	struct vmsi_snapshot snapshot = {
		.program = report->options->program,
		.arguments = report->arguments,
		.limited = limited(report),
		.refusals = report->refusals,
		.refusal_count = report->kept,
		.refusals_told = report->count,
	};

	(void)vmsi_snapshot_take(&snapshot, group);
	snapshot.unrefusable = unrefusable(report, &snapshot.stats);
	return snapshot;
}

static void write_file(struct vmsi_report *report,
		       const struct vmsi_snapshot *snapshot)
{
	json_t *all = vmsi_snapshot_json(snapshot);

	report->written = snapshot->stats.refusals;
	if (all)
		(void)vmsi_report_write(all, report->options->report);
	json_decref(all);
}

void vmsi_report_finish(struct vmsi_report *report, vms_group *group)
{
	const struct vmsi_supervise_options *options = report->options;
	struct vmsi_snapshot snapshot = take_snapshot(report, group);

	if (options->report)
		write_file(report, &snapshot);
	if (!options->quiet)
		vmsi_snapshot_write_text(stderr, &snapshot,
					 options->log ? 0 : SHOWN_MOST);
	vmsi_snapshot_free(&snapshot);
}

void vmsi_report_update(struct vmsi_report *report, vms_group *group)
{
	struct vmsi_snapshot snapshot;

	if (!report->options->report)
		return;
	snapshot = take_snapshot(report, group);
	if (snapshot.stats.refusals > report->written)
		write_file(report, &snapshot);
	vmsi_snapshot_free(&snapshot);
}
