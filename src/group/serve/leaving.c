/* SPDX-License-Identifier: MIT */
#include "group/serve/tracer_state.h"

#include <errno.h>

#include "base/array.h"
#include "group/process/proc.h"
#include "group/serve/listener.h"

/*
 * Threads that the tracer lets go, because a debugger wants to trace their
 * process. Each is detached as soon as it stops, and the debugger's call goes
 * on after the last.
 */

static int interrupt_thread(struct vmsi_tracer *tracer, pid_t thread,
			    void *context)
{
	struct vmsi_leaving one = *(const struct vmsi_leaving *)context;
	struct vmsi_leaving *all;

	if (vmsi_proc_tracer(thread) != tracer->tid ||
	    vmsi_traced_has_ended(thread))
		return 0;
	for (size_t i = 0; i < tracer->leaving_count; i++)
		if (tracer->leaving[i].thread == thread)
			return 0;
	all = vmsi_with_capacity(tracer->leaving, tracer->leaving_count,
			     &tracer->leaving_capacity, sizeof *all);
	if (!all)
		return -ENOMEM;
	tracer->leaving = all;
	if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL))
		return errno == ESRCH ? 0 : -errno;
	one.thread = thread;
	all[tracer->leaving_count++] = one;
	return 0;
}

static bool any_leaves(const struct vmsi_tracer *tracer, pid_t process)
{
	for (size_t i = 0; i < tracer->leaving_count; i++)
		if (tracer->leaving[i].process == process)
			return true;
	return false;
}

/* Until no thread is traced: the process may make others meanwhile. */
static void let_all_go(struct vmsi_tracer *tracer,
		       const struct vmsi_leaving *one)
{
	(void)vmsi_traced_each(tracer, one->process, interrupt_thread,
			       (void *)(uintptr_t)one);
	if (any_leaves(tracer, one->process))
		return;
	if (one->then == VMSI_THEN_CONTINUE)
		(void)vmsi_listener_continue(tracer->listener, one->id);
}

bool vmsi_leaving_has(const struct vmsi_tracer *tracer, pid_t thread)
{
	for (size_t i = 0; i < tracer->leaving_count; i++)
		if (tracer->leaving[i].thread == thread)
			return true;
	return false;
}

/*
 * A thread that asks to be traced itself (PTRACE_TRACEME) cannot stop before it
 * has its answer. So the answer has the kernel make the call again; before it
 * does, the thread stops and is let go.
 */
void vmsi_leaving_let_go(struct vmsi_tracer *tracer, pid_t caller,
			 const struct vmsi_leaving *of)
{
	const struct vmsi_leaving one = *of;

	let_all_go(tracer, &one);
	if (one.then != VMSI_THEN_REPEAT)
		return;
	if (vmsi_leaving_has(tracer, caller))
		(void)vmsi_listener_answer(tracer->listener, one.id,
					   -VMSI_ERESTARTNOINTR);
	else
		(void)vmsi_listener_continue(tracer->listener, one.id);
}

bool vmsi_leaving_note_left(struct vmsi_tracer *tracer, pid_t thread)
{
	for (size_t i = 0; i < tracer->leaving_count; i++) {
		const struct vmsi_leaving one = tracer->leaving[i];

		if (one.thread != thread)
			continue;
		tracer->leaving[i] = tracer->leaving[--tracer->leaving_count];
		if (!any_leaves(tracer, one.process))
			let_all_go(tracer, &one);
		return true;
	}
	return false;
}
