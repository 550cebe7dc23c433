/* SPDX-License-Identifier: MIT */
#include "group/interruptible.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "group/stack.h"
#include "group/tracer.h"

/* Serving: one call after the other, in the order in which they come. */

#define EVENTS 64

/*
 * Ends of known processes are told by descriptors. That the first has stopped,
 * and that others were orphaned, which are then the supervisor's to reap, is
 * only found by asking.
 */
#define ASK_MS 200

/* So many stacks are read however soon they follow each other. */
#define STACKS_AT_ONCE 20

/* --- refusing ----------------------------------------------------------- */

static struct vms_group_refusal
describe(const struct vms_group *group, const struct vmsi_process *process,
	 pid_t thread, const struct vmsi_request *request, bool injected)
{
	struct vms_group_refusal refusal = {
		.struct_size = sizeof refusal,
		.time = vmsi_group_now() - group->born,
		.process = process->pid,
		.thread = thread,
		.call = request->call,
		.requested = request->bytes,
		.committed = vmsi_account_committed(&group->account),
		.limit = group->options.commit_limit,
		.request = group->requests,
		.injected = injected,
	};

	memcpy(refusal.command, process->command, sizeof refusal.command);
	return refusal;
}

static void tell_injected(struct vms_group *group,
			  struct vms_group_refusal *refusal,
			  struct vmsi_stack *stack)
{
	refusal->stack = stack->text;
	refusal->why_no_stack = stack->why;
	if (group->options.on_refusal)
		group->options.on_refusal(group->options.context, group,
					  refusal);
	vmsi_stack_free(stack);
}

/*
 * To read a stack takes some 50 ms, in which nobody else is served: a program
 * that tries again and again may take half of the time so.
 */
static const char *why_no_stack(const struct vms_group *group, uint64_t now)
{
	if (!(group->options.flags & VMS_GROUP_STACKS))
		return "not asked for";
	return group->refusals + group->granted_again > STACKS_AT_ONCE &&
			now < group->next_stack ?
		"too many refusals at once" : NULL;
}

static void refuse(struct vms_group *group, struct vmsi_process *process,
		   const struct vmsi_request *request, bool injected)
{
	const pid_t thread = (pid_t)group->call->pid;
	const uint64_t begin = vmsi_group_now();
	struct vmsi_stack stack = { .why = why_no_stack(group, begin) };
	struct vms_group_refusal refusal =
		describe(group, process, thread, request, injected);

	if (!stack.why)
		vmsi_stack_begin(&stack, vmsi_group_tracer(group), thread);
	group->refusals++;
	group->injected += injected;
	process->refusals++;
	vmsi_listener_answer(group->listener, group->call->id,
			     vmsi_request_refusal(group, request));
	vmsi_stack_read(&stack, group->tracer, process->pid);
	group->next_stack = 2 * vmsi_group_now() - begin;
	vmsi_refusals_postpone(group, vmsi_group_now() - begin);
	if (injected)
		tell_injected(group, &refusal, &stack);
	else
		vmsi_refusals_hold(group, &refusal, request, &stack);
}

/* --- one call ----------------------------------------------------------- */

/* What a child has of its parent is free until it executes a program. */
static void remember_free_fork(struct vms_group *group,
			       struct vmsi_process *process)
{
	const pid_t thread = (pid_t)group->call->pid;
	struct vmsi_effect fork = {
		.kind = VMSI_EFFECT_CHILD, .thread = thread };
	size_t copy;

	vmsi_group_look(group, process, thread);
	copy = vmsi_process_copy(group, process) + process->account.credit;
	copy -= process->not_copied < copy ? process->not_copied : copy;
	fork.credit = copy;
	fork.notes = vmsi_granted_notes(group->call, copy);
	fork.notes.breaks = vmsi_unborn_breaks(group, process);
	/* Without memory to note it, the child is charged what it has. */
	(void)vmsi_account_note(&group->account, &process->account, &fork);
}

/*
 * Figures that are read while it moves may have it in neither place; and nobody
 * may have mapped yet what counts of a file.
 */
static void remember_uncharged(struct vms_group *group,
			       struct vmsi_process *process,
			       const struct vmsi_request *request)
{
	const struct vmsi_effect effect = {
		.kind = request->moved ? VMSI_EFFECT_OWN : VMSI_EFFECT_OBJECT,
		.thread = (pid_t)group->call->pid,
		.moved = request->moved,
		.notes = vmsi_granted_notes(group->call, 0),
	};

	/* Without memory to note it, figures are too low for an instant. */
	(void)vmsi_account_note(&group->account, &process->account, &effect);
}

/* A program that is executed has no handlers, and is traced no more. */
static void expect_image(struct vmsi_process *process, pid_t thread)
{
	process->executing = thread;
	process->traced = process->let_go = false;
}

static void let_through(struct vms_group *group, struct vmsi_process *process,
			const struct vmsi_request *request, bool charged)
{
	if (request->call == VMS_GROUP_FORK && !charged)
		remember_free_fork(group, process);
	if (!charged && (request->moved || request->file.end))
		remember_uncharged(group, process, request);
	if (request->call == VMS_GROUP_BRK)
		vmsi_breaks_note(group, request->heap, request->data_end);
	if (vmsi_listener_continue(group->listener, group->call->id)) {
		vmsi_refusals_granted(group, (pid_t)group->call->pid, request);
		if (request->call == VMS_GROUP_EXEC)
			expect_image(process, (pid_t)group->call->pid);
	} else if (charged) {
		vmsi_group_take_back(group, process, (pid_t)group->call->pid,
				     request);
	}
}

static void decide(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_request request;
	const pid_t thread = (pid_t)group->call->pid;

	vmsi_account_confirm(&group->account, &process->account, thread);
	if (process->executing)
		vmsi_group_meet_image(group, process, thread);
	if (group->call->data.nr == SYS_rt_sigaction)
		vmsi_serve_handler(group, process);
	else if (group->call->data.nr == SYS_ptrace)
		vmsi_serve_debugger(group, process);
	else if (!vmsi_request_decode(group, process, thread,
				 &group->call->data, &request))
		let_through(group, process, &request, false);
	else if (vmsi_faults_hit(group, process, group->call, &request))
		refuse(group, process, &request, true);
	else if (vmsi_group_grant(group, process, thread, &request))
		let_through(group, process, &request, true);
	else
		refuse(group, process, &request, false);
}

static int serve_call(struct vms_group *group)
{
	struct vmsi_process *process;
	int got;

	memset(group->call, 0, group->call_bytes);
	got = vmsi_listener_receive(group->listener, group->call);
	if (got <= 0)
		return got;
	group->calls++;
	process = vmsi_process_of(group, (pid_t)group->call->pid);
	if (process)
		decide(group, process);
	else
		/* It has gone, or there is no memory to count it with. */
		vmsi_listener_answer(group->listener, group->call->id,
				     -ENOMEM);
	return 1;
}

/* --- waiting ------------------------------------------------------------ */

/* There was no descriptor left to tell of its end. */
static bool end_unwatched(struct vms_group *group,
			  struct vmsi_process *process, void *context)
{
	(void)context;
	if (process->pidfd < 0 && vmsi_proc_living_thread(process->pid) == 0)
		vmsi_process_ended(group, process);
	return true;
}

/* It would be told again and again, while the last processes are ending. */
static void note_unused(struct vms_group *group)
{
	(void)epoll_ctl(group->epoll, EPOLL_CTL_DEL, group->listener, NULL);
	group->unused = true;
	vmsi_processes_each(group, end_unwatched, NULL);
}

/* Whose end nothing tells. */
static void find_ended(struct vms_group *group)
{
	vmsi_tree_adopt(group);
	vmsi_processes_each(group, end_unwatched, NULL);
}

static void handle_ends(struct vms_group *group)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(group->ends, events, EVENTS, 0);

	for (int i = 0; i < count; i++) {
		struct vmsi_process *process = events[i].data.ptr;

		/* Closing it is not enough where a fork of ours has it too. */
		(void)epoll_ctl(group->ends, EPOLL_CTL_DEL, process->pidfd,
				NULL);
		vmsi_process_ended(group, process);
	}
}

/*
 * The listener is waited for itself, not in an epoll: so the kernel wakes the
 * supervisor on the processor of the thread that waits for it.
 *
 * The ends come first: their numbers may be another process's soon. Returns
 * whether a call was served, or -errno.
 */
static int await(struct vms_group *group, int wait)
{
	struct pollfd watched[] = {
		{ .fd = group->ends, .events = POLLIN },
		{ .fd = group->unused ? -1 : group->listener,
		  .events = POLLIN },
	};

	if (poll(watched, 2, wait) < 0)
		return -errno;
	if (watched[0].revents)
		handle_ends(group);
	if (watched[1].revents & POLLIN)
		return serve_call(group);
	if (watched[1].revents)
		note_unused(group);
	return watched[0].revents || watched[1].revents;
}

static bool first_has_stopped(struct vms_group *group)
{
	siginfo_t info = { .si_pid = 0 };
	int signal = 0;

	if (group->tracer && !group->first_ended &&
	    (vmsi_tracer_first_stop(group->tracer, &signal) || signal)) {
		group->status = (signal << 8) | 0x7f;
		return signal != 0;
	}
	if (group->first_ended ||
	    waitid(P_PID, (id_t)group->first, &info,
		   WSTOPPED | WNOHANG) ||
	    info.si_pid != group->first)
		return false;
	group->status = (info.si_status << 8) | 0x7f;
	return true;
}

static bool is_empty(const struct vms_group *group)
{
	return group->first_ended && group->unused && group->process_count == 0;
}

/* What there is to tell; VMS_GROUP_NOTHING where the caller is to wait. */
static enum vms_group_event pending_event(struct vms_group *group)
{
	if (group->first_ended && !group->first_ended_told) {
		group->first_ended_told = true;
		/* Who is told writes down what was refused. */
		vmsi_refusals_end(group, 0);
		return VMS_GROUP_FIRST_ENDED;
	}
	if (!is_empty(group))
		return VMS_GROUP_NOTHING;
	/* Orphans that asked for nothing and have ended are still to be reaped. */
	find_ended(group);
	if (!is_empty(group))
		return VMS_GROUP_NOTHING;
	/* Shared objects have gone, or stay without a process. */
	vmsi_group_look_at_all(group);
	vmsi_refusals_end(group, 0);
	return VMS_GROUP_EMPTY;
}

static bool is_time_to_ask(struct vms_group *group)
{
	const uint64_t now = vmsi_group_now();

	if (now < group->next_asking)
		return false;
	group->next_asking = now + ASK_MS * 1000000ull;
	return true;
}

/* At most until a peak may be looked into. */
static int wait_for_peak(const struct vms_group *group, int wait)
{
	return wait == 0 || !vmsi_account_above_peak(&group->account, 0) ?
		wait : vmsi_group_ms_until(group->next_peak_look, wait);
}

int vms_group_serve(vms_group *group, int timeout)
{
	const uint64_t until = timeout < 0 ? UINT64_MAX :
		vmsi_group_now() + (uint64_t)timeout * 1000000u;

	for (;;) {
		enum vms_group_event event = pending_event(group);
		const int wait = vmsi_refusals_wait(group,
			vmsi_group_ms_until(until, ASK_MS));
		const int pause = wait_for_peak(group, wait);
		int count;

		if (event != VMS_GROUP_NOTHING)
			return event;
		count = await(group, pause);
		/* After what was waiting: it may be what was refused before. */
		vmsi_refusals_tell_due(group);
		if (count == -EINTR)
			return VMS_GROUP_NOTHING;
		if (count < 0) {
			errno = -count;
			return -1;
		}
		if (count == 0 && pause < wait) {
			vmsi_group_note_idle_peak(group);
			continue;
		}
		if (is_time_to_ask(group)) {
			find_ended(group);
			if (!group->first_ended &&
			    !vmsi_process_find(group, group->first))
				vmsi_process_reap_first(group);
			vmsi_group_look_at_files(group);
			vmsi_group_look_at_stacks(group);
			if (first_has_stopped(group))
				return VMS_GROUP_FIRST_STOPPED;
		}
		if (wait == 0 && count == 0)
			return pending_event(group);
	}
}
