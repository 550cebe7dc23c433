/* SPDX-License-Identifier: MIT */
#include "group/serve/service.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/versioned.h"
#include "group/clock.h"
#include "group/decide/faults.h"
#include "group/measure/shared.h"
#include "group/refresh/looks.h"
#include "group/refresh/members.h"
#include "group/serve/tracer.h"

/* --- figures ------------------------------------------------------------- */

int vms_group_descriptor(const vms_group *group)
{
	return group->service->epoll;
}

pid_t vms_group_first(const vms_group *group)
{
	return group->members.first;
}

int vms_group_status(const vms_group *group)
{
	return group->service->status;
}

int vms_group_get_stats(vms_group *group, struct vms_group_stats *stats)
{
	struct vms_group_stats known;
	const int error = group && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_GROUP_STATS) : -EINVAL;

	if (error) {
		errno = -error;
		return -1;
	}
	known = (struct vms_group_stats){
		.limit = group->account.limit,
		.committed = vmsi_account_committed(&group->account),
		.committed_peak = group->account.peak,
		.shared = group->account.objects,
		.requests = group->faults->requests,
		.calls = group->service->calls,
		.refusals = group->service->refusals.count,
		.injected = group->service->refusals.injected,
		.looks = group->looks->count,
		.interruptible = group->members.interruptible,
		.processes = group->members.count,
		.granted_again = group->service->refusals.granted_again,
		.unaccounted = group->service->refusals.unaccounted,
		.highest_limit = group->account.highest_limit,
		.age = vmsi_now() - group->service->refusals.born,
	};
	vmsi_give_figures(stats, &known, sizeof known);
	return 0;
}

int vms_group_next_process(vms_group *group, size_t *cursor,
			   struct vms_group_process *process)
{
	struct vms_group_process known = { 0 };
	const struct vmsi_process *found;
	const int error = group && cursor && process ?
		vmsi_check_struct_size(process->struct_size,
				       VMSI_FIRST_GROUP_PROCESS) : -EINVAL;

	if (error) {
		errno = -error;
		return -1;
	}
	found = vmsi_process_nth(group, *cursor);
	if (!found)
		return 0;
	++*cursor;
	known.pid = found->pid;
	known.ended = *cursor > group->members.count;
	known.committed = vmsi_account_of(&found->account);
	known.committed_peak = vmsi_account_peak_of(&group->account, &found->account);
	known.refusals = found->refusals;
	memcpy(known.command, found->command, sizeof known.command);
	vmsi_give_figures(process, &known, sizeof known);
	return 1;
}

/*
 * The number of a process that has ended may be that of another process by now; a
 * pidfd stays the one's that it was opened for.
 */
static bool send_signal(const struct vmsi_process *process, int signal)
{
	return (process->pidfd < 0 ? kill(process->pid, signal) :
		syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL,
			0)) == 0;
}

size_t vms_group_kill(vms_group *group, int signal)
{
	const struct vmsi_process *process = NULL;
	size_t sent = 0;

	vmsi_tree_discover(group);
	while ((process = vmsi_process_next(group, process)))
		sent += send_signal(process, signal);
	return sent;
}

void vms_group_close(vms_group *group)
{
	if (!group)
		return;
	vmsi_refusals_end(group, 0);
	vmsi_grants_end(group);
	vmsi_put_off_end(group);
	vmsi_group_delist(group);
	vmsi_tracer_stop(group->service->tracer);
	vmsi_seen_forget();
	vmsi_processes_free(group);
	if (group->service->listener >= 0)
		close(group->service->listener);
	if (group->members.ends >= 0)
		close(group->members.ends);
	if (group->service->epoll >= 0)
		close(group->service->epoll);
	free(group->service->call);
	free(group->service->grants);
	vmsi_shared_free(group->shared);
	vmsi_account_free(&group->account);
	free(group);
}
