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
 * Through /proc, and not by process_vm_readv(2): that waits for pages which a
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

/* What cannot be read may be one. */
static bool may_interrupt(pid_t thread, uint64_t address)
{
	struct kernel_sigaction action;

	if (!read_action(thread, address, &action))
		return true;
	return action.handler != (uint64_t)(uintptr_t)SIG_DFL &&
		action.handler != (uint64_t)(uintptr_t)SIG_IGN &&
		!(action.flags & SA_RESTART);
}

static bool is_traced(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_tracer *tracer;

	/* A debugger of the group's is to have it. */
	if (process->let_go || !vmsi_restart_is_possible())
		return false;
	tracer = vmsi_serve_tracer(group);
	return tracer && vmsi_tracer_seize(tracer, process->pid) == 0;
}

/* A process may have its handlers in common with another one (CLONE_SIGHAND). */
static bool trace_sharer(struct vms_group *group, struct vmsi_process *process,
			 void *context)
{
	const struct vmsi_process *of = context;

	if (process != of && !process->traced &&
	    vmsi_have_one_table_of_handlers(process, of)) {
		process->traced = is_traced(group, process);
		if (!process->traced)
			vmsi_process_set_interruptible(group, process);
	}
	return true;
}

static void trace(struct vms_group *group, struct vmsi_process *process)
{
	process->traced = is_traced(group, process);
	if (!process->traced)
		vmsi_process_set_interruptible(group, process);
	vmsi_processes_each(group, trace_sharer, process);
}

void vmsi_serve_handler(struct vms_group *group, struct vmsi_process *process)
{
	const struct seccomp_notif *call = group->service->call;

	if (!process->traced &&
	    may_interrupt((pid_t)call->pid, call->data.args[1]))
		trace(group, process);
	(void)vmsi_listener_continue(group->service->listener, call->id);
}
