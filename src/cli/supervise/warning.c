/* SPDX-License-Identifier: MIT */
#include "cli/supervise/warn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/output/size.h"
#include "cli/output/text.h"
#include "cli/supervise/runner.h"
#include "cli/supervise/snapshot.h"

/* What the supervisor does when the group has reached a threshold. */

/* To whom a signal has gone. */
struct sent {
	size_t count;
	struct vms_group_process one; /* where a single one was meant */
	int error;                    /* errno; 0: it has gone */
};

/* The first process if it lives, or else the one that has most. */
static bool find_one(vms_group *group, enum vmsi_whom whom,
		     const struct vmsi_largest *largest,
		     struct vms_group_process *found)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	size_t cursor = 0;

	while (whom == VMSI_WHOM_FIRST &&
	       vms_group_next_process(group, &cursor, &process) == 1 &&
	       !process.ended)
		if (process.pid == vms_group_first(group)) {
			*found = process;
			return true;
		}
	if (largest->count == 0)
		return false;
	*found = largest->list[0];
	return true;
}

static struct sent send_signal(const struct vmsi_warn_options *options,
			       vms_group *group, int number,
			       const struct vmsi_largest *largest)
{
	struct sent sent = { .error = 0 };

	if (options->whom == VMSI_WHOM_ALL)
		sent.count = vms_group_kill(group, number);
	else if (find_one(group, options->whom, largest, &sent.one) &&
		 vms_group_signal(group, sent.one.pid, number) == 0)
		sent.count = 1;
	else
		sent.error = sent.one.pid ? errno : ESRCH;
	return sent;
}

static void write_name(FILE *stream, const char *command, pid_t pid)
{
	vmsi_write_escaped(stream, command);
	fprintf(stream, "[%d]", (int)pid);
}

static void write_sent(FILE *stream, const struct vmsi_warn_options *options,
		       int number, const struct sent *sent)
{
	fprintf(stream, "; %s ", vmsi_signal_text(number).text);
	if (sent->error) {
		fprintf(stream, "went to nobody: %s", strerror(sent->error));
	} else if (options->whom == VMSI_WHOM_ALL) {
		fprintf(stream, "to %zu process%s", sent->count,
			sent->count == 1 ? "" : "es");
	} else {
		fputs("to ", stream);
		write_name(stream, sent->one.command, sent->one.pid);
	}
}

static void tell(const struct vmsi_warning *warning,
		 const struct vms_group_mark *mark, const struct sent *sent)
{
	const struct vmsi_warn_options *options = warning->options;
	const int number = options->signals[mark->index];
	FILE *stream = vmsi_errors_begin(warning->errors);

	if (!stream)
		return;
	fprintf(stream, "%s: %s of %s in use, past %s=%s", warning->program,
		vmsi_told_size(mark->committed).text,
		vmsi_told_size(mark->limit).text,
		vmsi_stage_option((enum vmsi_stage)mark->index),
		options->at[mark->index].text);
	if (mark->process) {
		fputs("; ", stream);
		write_name(stream, mark->command, mark->process);
		fputs(" asked", stream);
	}
	if (number)
		write_sent(stream, options, number, sent);
	fputc('\n', stream);
	vmsi_errors_end(warning->errors, VMSI_ERRORS_ANY);
}

static void run_command(const struct vmsi_warning *warning, vms_group *group,
			const struct vms_group_mark *mark,
			const struct vmsi_largest *largest)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	struct vms_group_process first = { .pid = 0 };
	struct vmsi_run_figures figures = {
		.stage = (enum vmsi_stage)mark->index,
		.at = mark->at, .committed = mark->committed,
		.limit = mark->limit, .asked = (int)mark->process,
	};
	int error;

	(void)vms_group_get_stats(group, &stats);
	figures.peak = vmsi_peak_told(stats.committed_peak, mark->committed);
	figures.refusals = stats.refusals;
	if (find_one(group, VMSI_WHOM_FIRST, largest, &first) &&
	    first.pid == vms_group_first(group))
		figures.first = (int)first.pid;
	if (largest->count) {
		figures.largest = (int)largest->list[0].pid;
		figures.largest_committed = largest->list[0].committed;
		memcpy(figures.largest_command, largest->list[0].command,
		       sizeof figures.largest_command);
	}
	error = vmsi_runner_run(warning->options->runner, &figures);
	if (error)
		vmsi_errors_write(warning->errors, "%s: cannot run the command "
				  "of --on-warn: %s\n", warning->program,
				  strerror(-error));
}

void vmsi_warning_reached(void *context, vms_group *group,
			  const struct vms_group_mark *mark)
{
	struct vmsi_warning *warning = context;
	const struct vmsi_largest largest = vmsi_largest_find(group);
	const int number = warning->options->signals[mark->index];
	struct sent sent = { .count = 0 };

	warning->counts[mark->index]++;
	if (number)
		sent = send_signal(warning->options, group, number, &largest);
	if (warning->told == VMSI_WARNING_TOLD)
		tell(warning, mark, &sent);
	if (warning->options->runner >= 0)
		run_command(warning, group, mark, &largest);
}
