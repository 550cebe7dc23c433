/* SPDX-License-Identifier: MIT */
#include "group/serve/service.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "group/clock.h"
#include "group/decide/faults.h"
#include "group/decide/request.h"
#include "group/process/proc.h"
#include "group/refresh/heap_end.h"
#include "group/refresh/looks.h"
#include "group/refresh/members.h"
#include "group/serve/interruptible.h"
#include "group/serve/listener.h"
#include "group/serve/tracer.h"

/* Calls are served one after the other, in the order in which they come. */

#define EVENTS 64

/*
 * How often the supervisor asks the kernel for what no descriptor tells: that
 * the first process has stopped, and which processes were orphaned.
 */
#define ASK_MS 200

/* --- one call ----------------------------------------------------------- */

/*
 * The next request of the process may come from another program. That has no
 * signal handlers yet, so the tracer lets go of it. Where two threads execute, the
 * one whose execve fails says nothing of the other's.
 */
static void expect_image(struct vmsi_process *process, pid_t thread)
{
	process->executing = !process->executing || process->executing == thread ?
		thread : VMSI_SEVERAL_THREADS;
	process->traced = process->let_go = false;
}

static void let_through(struct vms_group *group, struct vmsi_process *process,
			const struct vmsi_request *request, bool charged)
{
	const struct vmsi_service *service = group->service;
	const pid_t thread = (pid_t)service->call->pid;

	if (!request->is_plain)
		vmsi_process_note_other(group, process);
	if (!charged)
		vmsi_request_note_free(group, process, thread, request);
	if (request->call == VMS_GROUP_BRK)
		vmsi_heap_note_end(group, request->heap, request->data_end);
	if (vmsi_listener_continue(service->listener, service->call->id)) {
		vmsi_refusals_granted(group, thread, request);
		if (charged)
			vmsi_grants_add(group, process, request);
		if (request->call == VMS_GROUP_EXEC)
			expect_image(process, thread);
	} else if (charged) {
		vmsi_request_take_back(group, process, thread, request);
	}
}

/*
 * Look whether the process is another program by now. Returns false where the thread does
 * not wait any more, since an execve of another thread has ended it. A thread that still
 * waits has its program's memory, as the first thread of the process has not where it has
 * ended: so the thread is asked where the heap begins.
 */
static bool is_image_known(struct vms_group *group, struct vmsi_process *process)
{
	const struct seccomp_notif *call = group->service->call;
	const pid_t thread = (pid_t)call->pid;
	struct vmsi_proc_stat stat, own;
	bool is_read = vmsi_proc_read_stat(process->pid, &stat);

	if (is_read && thread != process->pid) {
		is_read = vmsi_proc_read_stat(thread, &own);
		stat.heap_start = own.heap_start;
	}
	if (!vmsi_listener_is_waited_for(group->service->listener, call->id))
		return false;
	if (is_read)
		vmsi_look_at_image(group, process, thread, &stat);
	return true;
}

/* Ask the caller for more, which nobody has told yet. Returns whether it gave some. */
static bool raise_limit(struct vms_group *group)
{
	const struct vmsi_service *service = group->service;
	const size_t before = group->account.limit;

	if (service->on_full)
		service->on_full(service->full_context, group);
	return group->account.limit > before;
}

/* Charge a request and let it through, or refuse it. */
static void decide_request(struct vms_group *group,
			   struct vmsi_process *process,
			   struct vmsi_request *request)
{
	const pid_t thread = (pid_t)group->service->call->pid;
	int error = vmsi_request_grant(group, process, thread, request);

	if (error == -EDQUOT && raise_limit(group))
		error = vmsi_request_grant(group, process, thread, request);
	if (error)
		vmsi_group_refuse(group, process, request, error == -ENOMEM ?
			    VMSI_REFUSED_UNACCOUNTED : VMSI_REFUSED_FULL);
	else
		let_through(group, process, request, true);
	if (error && request->is_quick)
		vmsi_look_owe(group);
}

/* A request that charges. */
static void serve_request(struct vms_group *group, struct vmsi_process *process,
			  struct vmsi_request *request)
{
	const struct seccomp_notif *call = group->service->call;

	if (vmsi_put_off_call(group))
		return;
	if (vmsi_faults_count(group->faults, process, (pid_t)call->pid,
			      (uintptr_t)call->data.instruction_pointer, request))
		vmsi_group_refuse(group, process, request, VMSI_REFUSED_ON_DEMAND);
	else
		decide_request(group, process, request);
	vmsi_put_off_end_call(group);
}

static void decide(struct vms_group *group, struct vmsi_process *process)
{
	const struct seccomp_notif *call = group->service->call;
	const pid_t thread = (pid_t)call->pid;
	struct vmsi_request request;

	/* The thread asks again, so its last call has returned. */
	vmsi_account_confirm(&group->account, &process->account, thread);
	if (process->executing && !is_image_known(group, process))
		return;
	if (call->data.nr == SYS_rt_sigaction)
		vmsi_serve_handler(group, process);
	else if (call->data.nr == SYS_ptrace)
		vmsi_serve_debugger(group, process);
	else if (!vmsi_request_decode(group, process, thread, &call->data,
				      &request))
		let_through(group, process, &request, false);
	else
		serve_request(group, process, &request);
}

static int serve_call(struct vms_group *group)
{
	struct vmsi_service *service = group->service;
	struct vmsi_process *process;
	pid_t number;
	int got;

	memset(service->call, 0, service->call_bytes);
	got = vmsi_listener_receive(service->listener, service->call);
	if (got <= 0)
		return got;
	service->calls++;
	process = vmsi_meet_thread(group, (pid_t)service->call->pid);
	if (!process) {
		vmsi_refuse_unknown(group);
		return 1;
	}
	number = process->pid;
	decide(group, process);
	vmsi_serve_marks(group, number);
	return 1;
}

/* --- waiting ------------------------------------------------------------ */

/*
 * No process has the filter any more, so poll reports the listener for good. It
 * is taken out of the epoll, so that a caller who waits for that can sleep until
 * the last processes have ended.
 */
static void note_unused(struct vms_group *group)
{
	(void)epoll_ctl(group->service->epoll, EPOLL_CTL_DEL,
			group->service->listener, NULL);
	group->service->unused = true;
	vmsi_serve_find_ended(group);
}

static void handle_ends(struct vms_group *group)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(group->members.ends, events, EVENTS, 0);

	for (int i = 0; i < count; i++) {
		struct vmsi_process *process = events[i].data.ptr;

		/*
		 * A fork of the supervisor has the pidfd open, too: then to
		 * close it here does not take it out of the epoll.
		 */
		(void)epoll_ctl(group->members.ends, EPOLL_CTL_DEL, process->pidfd,
				NULL);
		vmsi_serve_ended(group, process);
	}
}

/*
 * Wait for a call or an end, and serve it. The listener is waited for itself
 * and not in an epoll, so that the kernel wakes the supervisor on the processor
 * of the thread that asks. Ends come first, for the number of a process that
 * has ended may be another's soon. *told is whether the caller's own descriptor
 * is ready. Returns 1; 0: nothing happened in time; or -errno.
 */
static int await(struct vms_group *group, int wait, bool *told)
{
	struct pollfd watched[] = {
		{ .fd = group->members.ends, .events = POLLIN },
		{ .fd = group->service->unused ? -1 : group->service->listener,
		  .events = POLLIN },
		{ .fd = group->service->watched, .events = POLLIN },
	};

	if (poll(watched, 3, wait) < 0)
		return -errno;
	*told = watched[2].revents != 0;
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

	if (group->service->tracer && !group->service->first_ended &&
	    (vmsi_tracer_first_stop(group->service->tracer, &signal) || signal)) {
		group->service->status = (signal << 8) | 0x7f;
		return signal != 0;
	}
	if (group->service->first_ended ||
	    waitid(P_PID, (id_t)group->members.first, &info,
		   WSTOPPED | WNOHANG) ||
	    info.si_pid != group->members.first)
		return false;
	group->service->status = (info.si_status << 8) | 0x7f;
	return true;
}

static bool is_empty(const struct vms_group *group)
{
	return group->service->first_ended && group->service->unused &&
		group->members.count == 0;
}

/* Find an event to return to the caller; VMS_GROUP_NOTHING: go on serving. */
static enum vms_group_event pending_event(struct vms_group *group)
{
	if (group->service->first_ended && !group->service->first_ended_told) {
		group->service->first_ended_told = true;
		/* What is held is told before the caller writes its report. */
		vmsi_refusals_end(group, 0);
		vmsi_grants_end(group);
		return VMS_GROUP_FIRST_ENDED;
	}
	if (!is_empty(group))
		return VMS_GROUP_NOTHING;
	/*
	 * Orphans that asked for nothing and have ended are still to be waited
	 * for.
	 */
	vmsi_serve_find_ended(group);
	if (!is_empty(group))
		return VMS_GROUP_NOTHING;
	/* Shared objects may outlive the processes: the figures tell what is left. */
	vmsi_look_at_all(group);
	vmsi_refusals_end(group, 0);
	vmsi_grants_end(group);
	return VMS_GROUP_EMPTY;
}

static bool is_time_to_ask(struct vms_group *group)
{
	const uint64_t now = vmsi_now();

	if (now < group->service->next_asking)
		return false;
	group->service->next_asking = now + ASK_MS * 1000000ull;
	return true;
}

/*
 * Wait no longer than until the next look: the one that is owed after a refusal is made
 * when a millisecond has passed without a call, and one that may find a new peak when it
 * may be made again.
 */
static int wait_for_looks(const struct vms_group *group, int wait)
{
	if (wait > 1 && group->looks->owed)
		return 1;
	return wait == 0 || !vmsi_account_above_peak(&group->account, 0) ?
		wait : vmsi_ms_until(group->looks->next_peak, wait);
}

/* Find what no event tells of, now and then. */
static void ask_about_processes(struct vms_group *group)
{
	vmsi_serve_find_ended(group);
	if (!group->service->first_ended &&
	    !vmsi_process_find(group, group->members.first))
		vmsi_serve_reap_first(group);
	vmsi_look_at_files(group);
	vmsi_look_at_stacks(group);
	vmsi_look_at_idle_marks(group);
	vmsi_serve_marks(group, 0);
}

int vms_group_serve(vms_group *group, int timeout)
{
	const uint64_t until = timeout < 0 ? UINT64_MAX :
		vmsi_now() + (uint64_t)timeout * 1000000u;

	for (;;) {
		enum vms_group_event event = pending_event(group);
		const int wait = vmsi_refusals_wait(group,
			vmsi_ms_until(until, ASK_MS));
		const int pause = wait_for_looks(group, wait);
		bool told = false;
		int count;

		if (event != VMS_GROUP_NOTHING)
			return event;
		count = await(group, pause, &told);
		/*
		 * Only now, since the call that was just served may have been
		 * granted what was refused before: that is not told.
		 */
		vmsi_refusals_tell_due(group);
		vmsi_grants_tell_due(group);
		if (count == -EINTR)
			return VMS_GROUP_NOTHING;
		if (count < 0) {
			errno = -count;
			return -1;
		}
		if (!told && count == 0 && pause < wait) {
			if (!vmsi_look_at_owed(group, true))
				vmsi_look_at_idle_peak(group);
			continue;
		}
		if (count > 0)
			(void)vmsi_look_at_owed(group, false);
		if (is_time_to_ask(group)) {
			ask_about_processes(group);
			if (first_has_stopped(group))
				return VMS_GROUP_FIRST_STOPPED;
		}
		if (told)
			return VMS_GROUP_WATCHED;
		/* Where calls never end the time is over all the same. */
		if ((wait == 0 && count == 0) ||
		    (timeout > 0 && vmsi_now() >= until))
			return pending_event(group);
	}
}
