/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vmspace/budget.h>

#include "budget/shared.h"

/* The process that the group's requests wait for. */

static void tell(int front, int event, int number)
{
	struct vmsi_front_event message = { .number = number };

	message.event = event;
	(void)send(front, &message, sizeof message, MSG_NOSIGNAL);
}

/* It must neither stop nor end where the program does. */
static void ignore_signals(void)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
		SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE,
	};

	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		signal(ignored[i], SIG_IGN);
}

/* Who reads what the program has written is not to wait for us. */
static void let_go_of_streams(const struct vmsi_commit_options *options)
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

/* So that 'vmspace commit' lists it; without, only that is amiss. */
static vms_budget *open_budget(const struct vmsi_commit_options *options)
{
	const struct vms_budget_options budget_options = {
		.struct_size = sizeof budget_options,
		.name = "vmspace run",
		.limit = options->group.commit_limit,
		.policy = options->group.policy,
		.flags = VMS_BUDGET_SHARED,
	};

	return vms_budget_open(&budget_options);
}

static void publish(vms_budget *budget, vms_group *group, const char *label)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };

	if (!budget || vms_group_statistics(group, &stats))
		return;
	(void)vmsi_budget_publish(budget, &(struct vmsi_budget_publication){
		.charged = stats.committed,
		.peak = stats.peak,
		.refusals = stats.refusals,
		.processes = (unsigned)stats.processes,
		.label = label,
	});
}

#define PUBLISH_MS 250

static void serve(const struct vmsi_commit_options *options, vms_group *group,
		  struct vmsi_report *report, vms_budget *budget, int front)
{
	for (;;) {
		publish(budget, group, NULL);
		switch (vms_group_serve(group, PUBLISH_MS)) {
		case VMS_GROUP_NOTHING:
			break;
		case VMS_GROUP_FIRST_STOPPED:
			tell(front, VMSI_FRONT_STOPPED,
			     vms_group_status(group));
			break;
		case VMS_GROUP_FIRST_ENDED:
			vmsi_report_finish(report, group);
			tell(front, VMSI_FRONT_ENDED, vms_group_status(group));
			let_go_of_streams(options);
			break;
		default:
			return;
		}
	}
}

void vmsi_supervise(const struct vmsi_commit_options *options, const char *path,
		    char **arguments, int front)
{
	struct vms_group_options group_options = options->group;
	struct vmsi_report *report = vmsi_report_open(options, arguments);
	vms_budget *budget;
	vms_group *group;

	group_options.on_refusal = vmsi_report_refusal;
	group_options.context = report;
	vmsi_restore_signals();
	group = report ? vms_group_spawn(&group_options, path, arguments,
					 NULL) : NULL;
	if (!group) {
		tell(front, VMSI_FRONT_FAILED, errno);
		return;
	}
	ignore_signals();
	budget = open_budget(options);
	publish(budget, group, arguments[0]);
	tell(front, VMSI_FRONT_STARTED, vms_group_first(group));
	serve(options, group, report, budget, front);
	vms_budget_close(budget);
	vms_group_close(group);
	vmsi_report_close(report);
}
