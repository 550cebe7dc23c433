/* SPDX-License-Identifier: MIT */
#include "group/serve/interruptible.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "group/process/proc.h"
#include "group/serve/listener.h"
#include "group/serve/restart.h"
#include "group/serve/service.h"
#include "group/serve/tracer.h"

/* The start of the kernel's struct sigaction, the same on all architectures. */
struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
};

struct vmsi_tracer *vmsi_serve_tracer(struct vms_group *group)
{
	struct vmsi_service *service = group->service;

	if (!service->tracer &&
	    vmsi_tracer_start(group->members.first, service->listener,
			      &service->tracer))
		service->tracer = NULL;
	return service->tracer;
}

/*
 * By /proc and not by process_vm_readv(2), which waits for pages that a
 * userfaultfd of the group is to bring.
 */
static bool read_action(pid_t thread, uint64_t address,
			struct kernel_sigaction *action)
{
	int memory = vmsi_proc_open_memory(thread);
	ssize_t got;

	if (memory < 0)
		return false;
	got = pread(memory, action, sizeof *action, (off_t)address);
	close(memory);
	return got == (ssize_t)sizeof *action;
}

/*
 * Whether an action is, or cannot be read and may be, a handler without
 * SA_RESTART.
 */
static bool may_interrupt(pid_t thread, uint64_t address)
{
	struct kernel_sigaction action;

	if (!read_action(thread, address, &action))
		return true;
	return action.handler != (uint64_t)(uintptr_t)SIG_DFL &&
		action.handler != (uint64_t)(uintptr_t)SIG_IGN &&
		!(action.flags & SA_RESTART);
}

/* A process that was let go for a debugger is not traced again. */
static void trace(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_tracer *tracer = process->let_go ||
			!vmsi_restart_is_possible() ?
		NULL : vmsi_serve_tracer(group);

	process->traced = tracer &&
		vmsi_tracer_seize(tracer, process->pid) == 0;
	if (!process->traced)
		vmsi_process_set_interruptible(group, process);
}

/* Processes made with CLONE_SIGHAND have the same handlers. */
static void trace_with_sharers(struct vms_group *group,
			       struct vmsi_process *process)
{
	struct vmsi_process *other = NULL;

	trace(group, process);
	while ((other = vmsi_process_next(group, other)))
		if (other != process && !other->traced &&
		    vmsi_have_one_table_of_handlers(other, process))
			trace(group, other);
}

void vmsi_serve_handler(struct vms_group *group, struct vmsi_process *process)
{
	const struct seccomp_notif *call = group->service->call;

	if (!process->traced &&
	    may_interrupt((pid_t)call->pid, call->data.args[1]))
		trace_with_sharers(group, process);
	(void)vmsi_listener_continue(group->service->listener, call->id);
}
