/* SPDX-License-Identifier: MIT */
#include "group/serve/grants.h"

#include <string.h>

#include "group/clock.h"
#include "group/serve/interruptible.h"
#include "group/serve/listener.h"
#include "group/serve/restart.h"
#include "group/serve/service.h"

/* Calls that are put off until the stack of their thread was taken. */

/* So many stacks are taken, however soon they follow each other. */
#define STACKS_AT_ONCE 500

/* From one to the next, in times that the one took. */
#define STACKS_REST 10

/* A thread that has not made its call again by then will not. */
#define STALE_NS (1000ull * 1000 * 1000)

static struct vmsi_put_off remove_at(struct vmsi_grants *grants, size_t at)
{
	struct vmsi_put_off put_off = grants->put_off[at];

	grants->put_off[at] = grants->put_off[--grants->put_off_count];
	return put_off;
}

static void forget_stale(struct vmsi_grants *grants, uint64_t now)
{
	struct vmsi_put_off put_off;

	for (size_t i = grants->put_off_count; i-- > 0;)
		if (now - grants->put_off[i].time > STALE_NS) {
			put_off = remove_at(grants, i);
			vmsi_backtrace_free(&put_off.backtrace);
		}
}

/*
 * Whether the thread makes a call that was put off; its stack is the one of the call that
 * is served, then. Another call of the thread says that a handler has jumped away.
 */
static bool is_again(struct vmsi_grants *grants,
		     const struct seccomp_notif *call)
{
	struct vmsi_put_off put_off;
	size_t i = 0;

	while (i < grants->put_off_count &&
	       grants->put_off[i].thread != (pid_t)call->pid)
		i++;
	if (i == grants->put_off_count)
		return false;
	put_off = remove_at(grants, i);
	if (memcmp(&put_off.call, &call->data, sizeof call->data) == 0) {
		grants->stack = put_off.backtrace;
		return true;
	}
	vmsi_backtrace_free(&put_off.backtrace);
	return false;
}

static const char *why_not(const struct vms_group *group, uint64_t now)
{
	const struct vmsi_grants *grants = group->service->grants;

	if (!(group->flags & VMS_GROUP_GRANT_BACKTRACES))
		return "not asked for";
	return grants->put_off_count == VMSI_PUT_OFF_MOST ||
			grants->put_off_count + grants->held_count >=
				VMSI_HELD_GRANTS_MOST ||
			(grants->backtraces >= STACKS_AT_ONCE &&
			 now < grants->next_backtrace) ?
		"too many requests at once" : NULL;
}

/* A thread that has ended meanwhile asks no more. */
static void put_off(struct vms_group *group, struct vmsi_backtrace *backtrace,
		    uint64_t now)
{
	const struct vmsi_service *service = group->service;
	const struct seccomp_notif *call = service->call;
	struct vmsi_grants *grants = group->service->grants;

	(void)vmsi_listener_answer(service->listener, call->id,
				   -VMSI_ERESTARTNOINTR);
	vmsi_backtrace_read(backtrace, service->tracer);
	/* Nothing is left to wait for, when the call is served. */
	backtrace->asked = false;
	grants->backtraces++;
	grants->next_backtrace = now + STACKS_REST * (vmsi_now() - now);
	vmsi_refusals_postpone(group, vmsi_now() - now);
	grants->put_off[grants->put_off_count++] = (struct vmsi_put_off){
		.thread = (pid_t)call->pid, .time = vmsi_now(),
		.call = call->data, .backtrace = *backtrace,
	};
}

bool vmsi_put_off_call(struct vms_group *group)
{
	const struct seccomp_notif *call = group->service->call;
	struct vmsi_grants *grants = group->service->grants;
	struct vmsi_backtrace backtrace = { .why = NULL };
	uint64_t now;

	if (!grants || is_again(grants, call))
		return false;
	now = vmsi_now();
	forget_stale(grants, now);
	backtrace.why = why_not(group, now);
	if (!backtrace.why)
		vmsi_backtrace_begin(&backtrace, vmsi_serve_tracer(group),
				     (pid_t)call->pid);
	if (!backtrace.asked) {
		grants->stack = backtrace;
		return false;
	}
	put_off(group, &backtrace, now);
	return true;
}

bool vmsi_put_off_take_stack(struct vms_group *group,
			     struct vmsi_backtrace *backtrace)
{
	struct vmsi_grants *grants = group->service->grants;

	if (!grants)
		return false;
	*backtrace = grants->stack;
	grants->stack.stack = NULL;
	return backtrace->stack != NULL;
}

void vmsi_put_off_end_call(struct vms_group *group)
{
	struct vmsi_grants *grants = group->service->grants;

	if (grants)
		vmsi_backtrace_free(&grants->stack);
}

void vmsi_put_off_end(struct vms_group *group)
{
	struct vmsi_grants *grants = group->service->grants;

	while (grants && grants->put_off_count > 0)
		vmsi_backtrace_free(
			&grants->put_off[--grants->put_off_count].backtrace);
}
