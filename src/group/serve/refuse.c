/* SPDX-License-Identifier: MIT */
#include "group/serve/refusals.h"

#include <errno.h>
#include <string.h>

#include "group/clock.h"
#include "group/decide/faults.h"
#include "group/decide/request.h"
#include "group/refresh/heap_end.h"
#include "group/serve/interruptible.h"
#include "group/serve/listener.h"
#include "group/serve/service.h"

/* How many refusals get a backtrace, however soon they follow each other. */
#define BACKTRACES_AT_ONCE 500

/* From one to the next, in times that the one took. */
#define BACKTRACES_REST 10

/* Insert a process into the list of the largest, where it is one of them. */
static void insert_holder(struct vms_group_refusal *refusal,
			  const struct vmsi_process *process, size_t committed)
{
	struct vms_group_holder *list = refusal->holders;
	size_t at = refusal->holder_count;

	if (at < VMS_GROUP_HOLDERS)
		refusal->holder_count++;
	else if (list[--at].committed >= committed)
		return;
	for (; at > 0 && list[at - 1].committed < committed; at--)
		list[at] = list[at - 1];
	list[at] = (struct vms_group_holder){
		.pid = process->pid, .committed = committed };
	memcpy(list[at].command, process->command, sizeof list[at].command);
}

static void find_holders(const struct vms_group *group,
			 struct vms_group_refusal *refusal)
{
	const struct vmsi_process *process = NULL;

	while ((process = vmsi_process_next(group, process)))
		insert_holder(refusal, process,
			      vmsi_account_of(&process->account));
}

static struct vms_group_refusal
describe(const struct vms_group *group, const struct vmsi_process *process,
	 const struct vmsi_request *request, enum vmsi_refused why)
{
	struct vms_group_refusal refusal = {
		.struct_size = sizeof refusal,
		.time = vmsi_now() - group->service->refusals.born,
		.process = process->pid,
		.thread = (pid_t)group->service->call->pid,
		.call = request->call,
		.requested = request->bytes,
		.committed = vmsi_account_committed(&group->account),
		.limit = group->account.limit,
		.request = group->faults->requests,
		.injected = why == VMSI_REFUSED_ON_DEMAND,
		.unaccounted = why == VMSI_REFUSED_UNACCOUNTED,
	};

	memcpy(refusal.command, process->command, sizeof refusal.command);
	find_holders(group, &refusal);
	return refusal;
}

/*
 * While a thread is unwound nobody else is served. A program that tries again and
 * again may take up a tenth of the supervisor's time so, and no more: it keeps half of
 * its speed that way.
 */
static const char *why_no_backtrace(const struct vms_group *group, uint64_t now)
{
	const struct vmsi_refusals *all = &group->service->refusals;

	if (!(group->flags & VMS_GROUP_BACKTRACES))
		return "not asked for";
	return all->count + all->granted_again > BACKTRACES_AT_ONCE &&
			now < all->next_backtrace ?
		"too many refusals at once" : NULL;
}

/* One that was put off for its stack has that already. */
static struct vmsi_backtrace backtrace_of(struct vms_group *group, uint64_t now)
{
	struct vmsi_backtrace backtrace = { .why = NULL };

	if (!(group->flags & VMS_GROUP_BACKTRACES) ||
	    !vmsi_put_off_take_stack(group, &backtrace))
		backtrace.why = why_no_backtrace(group, now);
	return backtrace;
}

/* brk does not return errors: a brk that fails returns where the heap ends. */
static int64_t answer_of(struct vms_group *group,
			 const struct vmsi_request *request)
{
	if (request->call == VMS_GROUP_BRK)
		return (int64_t)vmsi_heap_end(group, request->heap);
	return -ENOMEM;
}

void vmsi_group_refuse(struct vms_group *group, struct vmsi_process *process,
		 const struct vmsi_request *request, enum vmsi_refused why)
{
	const struct vmsi_service *service = group->service;
	struct vmsi_refusals *all = &group->service->refusals;
	const uint64_t begin = vmsi_now();
	struct vmsi_backtrace backtrace = backtrace_of(group, begin);
	struct vms_group_refusal refusal =
		describe(group, process, request, why);

	if (!backtrace.why && !backtrace.stack)
		vmsi_backtrace_begin(&backtrace, vmsi_serve_tracer(group),
				     refusal.thread);
	all->count++;
	all->injected += refusal.injected;
	all->unaccounted += refusal.unaccounted;
	process->refusals++;
	vmsi_listener_answer(service->listener, service->call->id,
			     answer_of(group, request));
	vmsi_backtrace_read(&backtrace, service->tracer);
	if (backtrace.asked)
		all->next_backtrace = begin + BACKTRACES_REST *
			(vmsi_now() - begin);
	vmsi_refusals_postpone(group, vmsi_now() - begin);
	if (!refusal.injected) {
		vmsi_refusals_hold(group, &refusal, request, &backtrace);
		return;
	}
	/* Giving memory back would not help to get it, so it is told at once. */
	vmsi_refusals_tell(group, &refusal, &backtrace);
	vmsi_backtrace_free(&backtrace);
}

void vmsi_refuse_unknown(struct vms_group *group)
{
	const struct vmsi_service *service = group->service;

	if (vmsi_listener_answer(service->listener, service->call->id, -ENOMEM))
		group->service->refusals.unaccounted++;
}
