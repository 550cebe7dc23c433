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
 * Debuggers inside the group. A thread has one tracer, so the group lets go what
 * a debugger asks for, before its call goes on; from then on signals interrupt
 * the calls of that process.
 */

struct named {
	pid_t in_namespace; /* the number that the debugger has for a thread */
	char of[64];        /* its namespace of processes */
	pid_t found;
};

/* Whether a thread of a process has the number in the debugger's namespace. */
static bool is_named(struct vms_group *group, struct vmsi_process *process,
		     void *context)
{
	struct named *named = context;
	char other[64];
	DIR *threads;
	struct dirent *entry;

	(void)group;
	if (!vmsi_proc_namespace(process->pid, other, sizeof other) ||
	    strcmp(other, named->of) != 0)
		return true;
	threads = vmsi_proc_open_threads(process->pid);
	while (threads && !named->found && (entry = readdir(threads))) {
		pid_t thread;

		if (vmsi_parse_int(entry->d_name, &thread) &&
		    vmsi_proc_number_inside(thread) == named->in_namespace)
			named->found = thread;
	}
	if (threads)
		closedir(threads);
	return named->found == 0;
}

/* The supervisor's number of a thread that a debugger has named; 0: none. */
static pid_t thread_named(struct vms_group *group, pid_t debugger, pid_t thread)
{
	struct named named = { .in_namespace = thread };
	char own[64];

	if (!vmsi_proc_namespace(debugger, named.of, sizeof named.of) ||
	    !vmsi_proc_namespace(0, own, sizeof own) ||
	    strcmp(own, named.of) == 0)
		return thread;
	vmsi_tree_discover(group);
	vmsi_processes_each(group, is_named, &named);
	return named.found;
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
