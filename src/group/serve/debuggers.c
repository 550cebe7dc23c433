/* SPDX-License-Identifier: MIT */
#include "group/serve/interruptible.h"

#include <string.h>
#include <sys/ptrace.h>

#include "group/process/proc.h"
#include "group/refresh/members.h"
#include "group/serve/listener.h"
#include "group/serve/service.h"
#include "group/serve/tracer.h"
#include "text/number.h"

/*
 * A program of the group may be a debugger. A thread has one tracer, so the
 * group's tracer lets a process go before the debugger's call goes on. From
 * then on signals interrupt the calls of that process.
 */

/* A thread of a process by its number in a namespace of processes; 0: none. */
static pid_t thread_in_namespace(pid_t process, const char *namespace,
				 pid_t number)
{
	pid_t thread, found = 0;
	struct dirent *entry;
	char other[64];
	DIR *threads;

	if (!vmsi_proc_namespace(process, other, sizeof other) ||
	    strcmp(other, namespace) != 0)
		return 0;
	threads = vmsi_proc_open_threads(process);
	while (threads && !found && (entry = readdir(threads)))
		if (vmsi_parse_int(entry->d_name, &thread) &&
		    vmsi_proc_number_inside(thread) == number)
			found = thread;
	if (threads)
		closedir(threads);
	return found;
}

/* The supervisor's number of a thread that a debugger has named; 0: none. */
static pid_t thread_named(struct vms_group *group, pid_t debugger, pid_t thread)
{
	const struct vmsi_process *process = NULL;
	char own[64], namespace[64];
	pid_t found = 0;

	if (!vmsi_proc_namespace(debugger, namespace, sizeof namespace) ||
	    !vmsi_proc_namespace(0, own, sizeof own) ||
	    strcmp(own, namespace) == 0)
		return thread;
	vmsi_tree_discover(group);
	while (!found && (process = vmsi_process_next(group, process)))
		found = thread_in_namespace(process->pid, namespace, thread);
	return found;
}

static void let_go(struct vms_group *group, struct vmsi_process *process,
		   enum vmsi_then then)
{
	const struct vmsi_service *service = group->service;

	process->traced = false;
	process->let_go = true;
	vmsi_process_set_interruptible(group, process);
	vmsi_tracer_let_go(service->tracer, process->pid,
			   (pid_t)service->call->pid, service->call->id, then);
}

void vmsi_serve_debugger(struct vms_group *group, struct vmsi_process *process)
{
	const struct vmsi_service *service = group->service;
	const struct seccomp_notif *call = service->call;
	const pid_t caller = (pid_t)call->pid;
	const bool is_own = call->data.args[0] == PTRACE_TRACEME;
	struct vmsi_process *other = NULL;
	pid_t thread;

	if (!service->tracer) {
		(void)vmsi_listener_continue(service->listener, call->id);
		return;
	}
	thread = is_own ? caller :
		thread_named(group, caller, (pid_t)call->data.args[1]);
	if (thread > 0 && vmsi_tracer_has(service->tracer, thread))
		other = is_own ? process : vmsi_meet_thread(group, thread);
	if (other && (is_own || other != process))
		let_go(group, other, is_own ? VMSI_THEN_REPEAT :
					      VMSI_THEN_CONTINUE);
	else
		(void)vmsi_listener_continue(service->listener, call->id);
}
