/* SPDX-License-Identifier: MIT */
#include "cli/supervise/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vmspace/budget.h>

#include "budget/shared.h"
#include "cli/program/program.h"
#include "cli/supervise/control.h"
#include "cli/supervise/descriptors.h"
#include "cli/supervise/report.h"
#include "cli/supervise/runner.h"
#include "cli/supervise/signals.h"
#include "cli/supervise/snapshot.h"
#include "cli/supervise/witness.h"

/* The supervisor: the process that answers the group's requests. */

static void tell(int events, int event, int number)
{
	struct vmsi_job_event message = { .number = number };

	message.event = event;
	(void)send(events, &message, sizeof message, MSG_NOSIGNAL);
}

/*
 * Signals to the process group that stop or end the program must not do that to
 * the supervisor. It blocks them, and the witness looks at those that are
 * pending.
 */
static void block_signals(void)
{
	sigset_t signals;

	vmsi_passed_on_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* One that was raised a moment ago is not to refuse. */
static void look_at_limit(void *context, vms_group *group)
{
	(void)group;
	vmsi_kept_limit_follow_if_due(context);
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
group_options_of(const struct vmsi_supervise_options *options,
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
	vmsi_warn_marks(&options->warn, group.commit_limit, group.marks);
	if (options->quiet && !options->report && !options->log)
		group.flags &= ~VMS_GROUP_BACKTRACES;
	return group;
}

/*
 * Close the standard streams: the reader of a pipe sees the end of the program's
 * output only after all processes have closed it.
 */
static void let_go_of_streams(const struct vmsi_supervise_options *options)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0)
		return;
	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	if (!options->log)
		dup2(nothing, STDERR_FILENO);
	close(nothing);
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

static void publish(vms_budget *budget, vms_group *group, const char *label)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };

	if (!budget || vms_group_get_stats(group, &stats))
		return;
	(void)vmsi_budget_publish(budget, &(struct vmsi_budget_publication){
		.charged = stats.committed,
		.peak = vmsi_peak_told(stats.peak, stats.committed),
		.refusals = stats.refusals,
		.processes = (unsigned)stats.processes,
		.label = label,
	});
}

/* NULL: there is no limit, or nobody can ask for it or change it. */
static struct vmsi_control *open_control(struct vmsi_kept_limit *limit,
					 const char *program)
{
	const struct vmsi_supervise_options *options = limit->options;
	struct vmsi_control *control = options->limit_text ?
		vmsi_control_open(limit, program) : NULL;

	if (options->name && !control)
		fprintf(stderr, "%s: the group is not listed as '%s': %s\n",
			options->program, options->name, strerror(errno));
	return control;
}

#define PUBLISH_MS 250

/*
 * Tell the job that the program has ended. Returns whether the whole group has:
 * the supervisor then ends at once, and the job waits for it.
 */
static bool tell_end(const struct vmsi_supervise_options *options,
		     vms_group *group, struct vmsi_report *report, int events,
		     struct vmsi_control *control)
{
	bool empty;

	vmsi_control_set_state(control, VMSI_CONTROL_FIRST_ENDED);
	vmsi_report_finish(report, group);
	empty = vms_group_serve(group, 0) == VMS_GROUP_EMPTY;
	tell(events, empty ? VMSI_JOB_ALL_ENDED : VMSI_JOB_ENDED,
	     vms_group_status(group));
	let_go_of_streams(options);
	if (options->warn.runner >= 0 && !options->log)
		vmsi_runner_let_go(options->warn.runner);
	return empty;
}

static void serve(struct vmsi_kept_limit *limit, struct vmsi_report *report,
		  int events, struct vmsi_control *control)
{
	const struct vmsi_supervise_options *options = limit->options;
	vms_group *group = limit->group;

	for (;;) {
		vmsi_kept_limit_follow(limit);
		publish(limit->budget, group, NULL);
		vmsi_control_tell(control);
		switch (vms_group_serve(group, PUBLISH_MS)) {
		case VMS_GROUP_NOTHING:
			break;
		case VMS_GROUP_FIRST_STOPPED:
			tell(events, VMSI_JOB_STOPPED,
			     vms_group_status(group));
			break;
		case VMS_GROUP_FIRST_ENDED:
			if (tell_end(options, group, report, events, control))
				return;
			break;
		case VMS_GROUP_WATCHED:
			vmsi_control_serve(control);
			break;
		default:
			return;
		}
	}
}

void vmsi_supervisor_run(struct vmsi_supervise_options *options,
			 const char *path, char **arguments, int events,
			 int witness)
{
	struct vmsi_warning warning = {
		.options = &options->warn, .program = options->program,
		.told = options->quiet ? VMSI_WARNING_QUIET : VMSI_WARNING_TOLD,
	};
	struct vmsi_report *report = vmsi_report_open(options, &warning, arguments);
	struct vmsi_kept_limit limit = { .options = options,
		.bytes = options->group.commit_limit, .source = options->source };
	const struct vms_group_options group_options =
		group_options_of(options, report, &warning, &limit);
	struct vmsi_control *control;
	vms_group *group = NULL;

	vmsi_restore_signals();
	if (report && vmsi_witness_start(witness) == 0)
		group = vms_group_spawn(&group_options, path, arguments, NULL);
	if (!group) {
		tell(events, VMSI_JOB_FAILED, (int)vmsi_program_explain_start(
			     arguments[0], path, errno));
		return;
	}
	/* This comes after the start, whose errors go to the caller's streams. */
	vmsi_let_go_of_descriptors(options->report);
	vmsi_let_go_of_directory(&options->report);
	block_signals();
	do_without_word_of_stops();
	limit.group = group;
	limit.budget = open_budget(options);
	publish(limit.budget, group, arguments[0]);
	control = open_control(&limit, arguments[0]);
	tell(events, VMSI_JOB_STARTED, vms_group_first(group));
	serve(&limit, report, events, control);
	vmsi_control_set_state(control, VMSI_CONTROL_EMPTY);
	vmsi_control_close(control);
	vmsi_report_update(report, group);
	vms_budget_close(limit.budget);
	vms_group_close(group);
	vmsi_report_close(report);
}
