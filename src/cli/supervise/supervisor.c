/* SPDX-License-Identifier: MIT */
#include "cli/supervise/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include <vmspace/budget.h>

#include "budget/shared.h"
#include "cli/program/program.h"
#include "cli/supervise/control.h"
#include "cli/supervise/descriptors.h"
#include "cli/supervise/errors.h"
#include "cli/supervise/events.h"
#include "cli/supervise/report.h"
#include "cli/supervise/runner.h"
#include "cli/supervise/snapshot.h"
#include "cli/supervise/witness.h"

/* The supervisor: the process that answers the group's requests. */

/* One that was raised a moment ago is not to refuse. */
static void look_at_limit(void *context, vms_group *group)
{
	(void)group;
	vmsi_kept_limit_follow_if_due(context);
}

static void tell_grant(void *context, vms_group *group,
		       const struct vms_group_grant *grant)
{
	const struct vmsi_supervise_options *options = context;

	(void)group;
	options->beside->granted(options->context, grant);
}

/*
 * A thread that the group's tracer stops is a child that stops, of which SIGCHLD
 * would tell the process. The tracer blocks that signal, so the kernel would wake
 * another thread for it, mostly the one that serves, at every stop.
 */
static void do_without_word_of_stops(void)
{
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action))
		return;
	action.sa_flags |= SA_NOCLDSTOP;
	(void)sigaction(SIGCHLD, &action, NULL);
}

/* Backtraces are not taken where no report would show them. */
static struct vms_group_options
group_options_of(struct vmsi_supervise_options *options,
		 struct vmsi_report *report, struct vmsi_warning *warning,
		 struct vmsi_kept_limit *limit)
{
	struct vms_group_options group = options->group;

	group.on_refusal = vmsi_report_refusal;
	group.context = report;
	group.on_mark = vmsi_warning_reached;
	group.mark_context = warning;
	if (options->limit_text) {
		group.on_full = look_at_limit;
		group.full_context = limit;
	}
	if (options->grants_are_told) {
		group.on_grant = tell_grant;
		group.grant_context = options;
		group.flags |= VMS_GROUP_GRANT_BACKTRACES;
	}
	vmsi_warn_marks(&options->warn, group.commit_limit, group.marks);
	if (options->quiet && !options->report && !options->log &&
	    !options->beside)
		group.flags &= ~VMS_GROUP_BACKTRACES;
	return group;
}

/*
 * Open a budget for the figures of the group, which 'vmspace commit' lists. NULL:
 * it cannot be opened, and the group is not listed.
 */
static vms_budget *open_budget(const struct vmsi_supervise_options *options)
{
	const struct vms_budget_options budget_options = {
		.struct_size = sizeof budget_options,
		.name = options->program,
		.limit = options->group.commit_limit,
		.policy = options->group.policy,
		.flags = VMS_BUDGET_SHARED,
	};

	return vms_budget_open(&budget_options);
}

static void publish(const struct vmsi_kept_limit *limit, const char *label)
{
	const struct vmsi_supervise_options *options = limit->options;
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	vms_budget *budget = limit->budget;

	if (vms_group_get_stats(limit->group, &stats))
		return;
	if (options->beside)
		options->beside->look(options->context, &stats);
	if (!budget)
		return;
	(void)vmsi_budget_publish(budget, &(struct vmsi_budget_publication){
		.charged = stats.committed,
		.peak = vmsi_peak_told(stats.committed_peak, stats.committed),
		.refusals = stats.refusals,
		.processes = (unsigned)stats.processes,
		.label = label,
	});
}

/* NULL: there is no limit, or nobody can ask for it or change it. */
static struct vmsi_control *open_control(struct vmsi_kept_limit *limit,
					 struct vmsi_errors *errors,
					 const char *program)
{
	const struct vmsi_supervise_options *options = limit->options;
	struct vmsi_control *control = options->limit_text ?
		vmsi_control_open(limit, program) : NULL;

	if (options->name && !control)
		vmsi_errors_write(errors, "%s: the group is not listed as '%s': "
				  "%s\n", options->program, options->name,
				  strerror(errno));
	return control;
}

/* --- serving ---------------------------------------------------------------- */

#define PUBLISH_MS 250

/* So often is asked whether the report of the end was read. */
#define READ_MS 5

struct supervisor {
	struct vmsi_kept_limit *limit;
	struct vmsi_report *report;
	struct vmsi_errors *errors;
	struct vmsi_control *control;
	int events;     /* the job is told them here */
	bool is_ending; /* the report is on its way, and the job is not told yet */
};

static void begin_end(struct supervisor *supervisor)
{
	vmsi_control_set_state(supervisor->control, VMSI_CONTROL_FIRST_ENDED);
	vmsi_report_finish(supervisor->report, supervisor->limit->group);
	supervisor->is_ending = true;
}

/*
 * Tell the job that the program has ended. Returns whether the whole group has:
 * the supervisor then ends at once, and the job waits for it.
 */
static bool tell_end(struct supervisor *supervisor)
{
	const struct vmsi_supervise_options *options = supervisor->limit->options;
	vms_group *group = supervisor->limit->group;
	const bool empty = vms_group_serve(group, 0) == VMS_GROUP_EMPTY;

	supervisor->is_ending = false;
	if (options->beside)
		options->beside->ended(options->context, vms_group_status(group),
				       empty);
	vmsi_job_tell(supervisor->events, empty ? VMSI_JOB_ALL_ENDED : VMSI_JOB_ENDED,
	     vms_group_status(group));
	vmsi_job_let_go_of_streams(!options->log);
	if (options->warn.runner >= 0 && !options->log)
		vmsi_runner_let_go(options->warn.runner);
	return empty;
}

/* Returns whether all have ended. */
static bool serve_once(struct supervisor *supervisor)
{
	vms_group *group = supervisor->limit->group;

	switch (vms_group_serve(group, supervisor->is_ending ? READ_MS :
							       PUBLISH_MS)) {
	case VMS_GROUP_NOTHING:
		return false;
	case VMS_GROUP_FIRST_STOPPED:
		vmsi_job_tell(supervisor->events, VMSI_JOB_STOPPED,
		     vms_group_status(group));
		return false;
	case VMS_GROUP_FIRST_ENDED:
		begin_end(supervisor);
		return vmsi_errors_drain(supervisor->errors, READ_MS) &&
			tell_end(supervisor);
	case VMS_GROUP_WATCHED:
		vmsi_control_serve(supervisor->control);
		return false;
	default:
		return true;
	}
}

/* The report may still wait for its reader when all have ended, whom nobody holds up. */
static void serve(struct supervisor *supervisor)
{
	bool is_over = false;

	while (!is_over) {
		vmsi_kept_limit_follow(supervisor->limit);
		publish(supervisor->limit, NULL);
		vmsi_control_tell(supervisor->control);
		is_over = serve_once(supervisor);
		if (supervisor->is_ending &&
		    vmsi_errors_drain(supervisor->errors, is_over ? -1 : 0))
			is_over = tell_end(supervisor) || is_over;
	}
}

/* False, with errno set: it does not begin. */
static bool begin_beside(const struct vmsi_supervise_options *options,
			 char **arguments)
{
	const int error = options->beside ?
		options->beside->begin(options->context, arguments) : 0;

	errno = -error;
	return !error;
}

void vmsi_supervisor_run(struct vmsi_supervise_options *options,
			 const char *path, char **arguments, int events,
			 int witness)
{
	struct vmsi_warning warning = {
		.options = &options->warn, .program = options->program,
		.errors = vmsi_errors_open(options->program),
		.told = options->quiet ? VMSI_WARNING_QUIET : VMSI_WARNING_TOLD,
	};
	struct vmsi_report *report = warning.errors ?
		vmsi_report_open(options, &warning, arguments) : NULL;
	struct vmsi_kept_limit limit = { .options = options,
		.bytes = options->group.commit_limit, .source = options->source };
	const struct vms_group_options group_options =
		group_options_of(options, report, &warning, &limit);
	struct supervisor supervisor = { .limit = &limit, .report = report,
		.errors = warning.errors, .events = events };

	vmsi_restore_signals();
	if (report && vmsi_witness_start(witness) == 0 &&
	    begin_beside(options, arguments))
		limit.group = vms_group_spawn(&group_options, path, arguments,
					      NULL);
	if (!limit.group) {
		vmsi_job_tell(events, VMSI_JOB_FAILED, (int)vmsi_program_explain_start(
			     arguments[0], path, errno));
		return;
	}
	/* This comes after the start, whose errors go to the caller's streams. */
	vmsi_let_go_of_descriptors(options->report);
	vmsi_let_go_of_directory(&options->report);
	vmsi_job_block_signals();
	do_without_word_of_stops();
	limit.budget = open_budget(options);
	publish(&limit, arguments[0]);
	supervisor.control = open_control(&limit, warning.errors, arguments[0]);
	if (options->beside)
		options->beside->started(options->context,
					 vms_group_first(limit.group));
	vmsi_job_tell(events, VMSI_JOB_STARTED, vms_group_first(limit.group));
	serve(&supervisor);
	vmsi_control_set_state(supervisor.control, VMSI_CONTROL_EMPTY);
	vmsi_control_close(supervisor.control);
	vmsi_report_update(report, limit.group);
	vms_budget_close(limit.budget);
	/* What is still held is told. */
	vms_group_close(limit.group);
	if (options->beside)
		options->beside->close(options->context);
	vmsi_report_close(report);
	vmsi_errors_close(warning.errors);
}
