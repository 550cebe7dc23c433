/* SPDX-License-Identifier: MIT */
#include "group/serve/grants.h"

#include <string.h>

#include "group/clock.h"
#include "group/decide/request.h"
#include "group/serve/service.h"

static struct vms_group_grant describe(const struct vms_group *group,
				       const struct vmsi_process *process,
				       const struct vmsi_request *request)
{
	struct vms_group_grant grant = {
		.struct_size = sizeof grant,
		.time = vmsi_now() - group->service->refusals.born,
		.process = process->pid,
		.thread = (pid_t)group->service->call->pid,
		.call = request->call,
		.requested = request->requested,
		.charged = request->bytes,
		.committed = vmsi_account_committed(&group->account),
	};

	memcpy(grant.command, process->command, sizeof grant.command);
	return grant;
}

/* Its stack has no names where nobody waits for them any longer. */
static void tell(struct vms_group *group, struct vmsi_held_grant *held)
{
	const struct vmsi_grants *grants = group->service->grants;

	if (held->backtrace.stack)
		held->grant.backtrace = vmsi_seen_text(held->backtrace.stack,
						       &held->backtrace.why);
	held->grant.why_no_backtrace = held->backtrace.why;
	grants->on_grant(grants->context, group, &held->grant);
	vmsi_backtrace_free(&held->backtrace);
}

void vmsi_grants_add(struct vms_group *group, const struct vmsi_process *process,
		     const struct vmsi_request *request)
{
	struct vmsi_grants *grants = group->service->grants;
	struct vmsi_held_grant held;

	if (!grants)
		return;
	held.grant = describe(group, process, request);
	/* There is room for it, since no stack is taken where there is none. */
	if (vmsi_put_off_take_stack(group, &held.backtrace) &&
	    !vmsi_seen_is_named(held.backtrace.stack) &&
	    grants->held_count < VMSI_HELD_GRANTS_MOST)
		grants->held[grants->held_count++] = held;
	else
		tell(group, &held);
}

void vmsi_grants_tell_due(struct vms_group *group)
{
	struct vmsi_grants *grants = group->service->grants;
	size_t kept = 0;

	if (!grants)
		return;
	for (size_t i = 0; i < grants->held_count; i++)
		if (vmsi_seen_is_named(grants->held[i].backtrace.stack))
			tell(group, &grants->held[i]);
		else
			grants->held[kept++] = grants->held[i];
	grants->held_count = kept;
}

void vmsi_grants_end(struct vms_group *group)
{
	struct vmsi_grants *grants = group->service->grants;

	if (!grants)
		return;
	for (size_t i = 0; i < grants->held_count; i++)
		tell(group, &grants->held[i]);
	grants->held_count = 0;
}
