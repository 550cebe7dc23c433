/* SPDX-License-Identifier: MIT */
#include "group/serve/service.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "group/process/proc.h"
#include "group/refresh/counter.h"
#include "group/refresh/members.h"
#include "group/serve/tracer.h"

/*
 * Where the tracer traces the first process, it may be the one that reaps it.
 */
void vmsi_serve_reap_first(struct vms_group *group)
{
	struct vmsi_service *service = group->service;
	int status;
	const pid_t got = waitpid(group->members.first, &status, WNOHANG);

	if (got < 0 && service->tracer)
		status = vmsi_tracer_first_status(service->tracer);
	else if (got != group->members.first)
		return;
	service->status = status;
	service->first_ended = true;
}

/*
 * Reap a process that has become the supervisor's child. It is waited for by its
 * pidfd: its number may be that of another process by now, whose stops are the
 * tracer's to wait for.
 */
static void reap(struct vms_group *group, const struct vmsi_process *process)
{
	siginfo_t info = { .si_pid = 0 };
	const bool known = process->pidfd >= 0;

	if (process->pid == group->members.first)
		vmsi_serve_reap_first(group);
	else
		(void)waitid(known ? P_PIDFD : P_PID,
			     (id_t)(known ? process->pidfd : process->pid),
			     &info, WEXITED | WNOHANG);
}

void vmsi_serve_ended(struct vms_group *group, struct vmsi_process *process)
{
	/* The caller can still ask about the process when it is told. */
	vmsi_refusals_end(group, process->pid);
	reap(group, process);
	vmsi_account_note_last(&group->account, &process->account);
	vmsi_process_retire(group, process);
	vmsi_counter_leave(group, process);
	vmsi_account_ended(&group->account, &process->account);
	vmsi_counter_reassign_memory(group, process);
}

/*
 * A process whose pidfd is not kept has most often none since descriptors are few, and
 * /proc cannot be read without one. Of a child the kernel tells the end all the same, and
 * of what others have reaped that it is not there.
 */
static bool has_ended(const struct vmsi_process *process)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)process->pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid == process->pid;
	return vmsi_proc_living_thread(process->pid) == 0 ||
		(kill(process->pid, 0) && errno == ESRCH);
}

/* An orphan that is known has its end told, and the supervisor reaps it. */
void vmsi_serve_find_ended(struct vms_group *group)
{
	struct vmsi_process *process, *next;

	vmsi_tree_adopt(group);
	for (process = vmsi_process_next(group, NULL); process;
	     process = next) {
		next = vmsi_process_next(group, process);
		if (process->pidfd < 0 && has_ended(process))
			vmsi_serve_ended(group, process);
	}
}
