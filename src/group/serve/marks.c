/* SPDX-License-Identifier: MIT */
#include "group/serve/service.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "group/clock.h"

/* Limits and marks that change, and what the caller does about them. */

_Static_assert(VMSI_MARKS == VMS_GROUP_MARKS,
	       "the account has as many marks as a caller can set");

static void tell(struct vms_group *group, unsigned index,
		 const struct vmsi_process *process)
{
	const struct vmsi_service *service = group->service;
	struct vms_group_mark mark = {
		.struct_size = sizeof mark,
		.time = vmsi_now() - service->refusals.born,
		.index = index,
		.at = group->account.marks.list[index].at,
		.committed = vmsi_account_committed(&group->account),
		.limit = group->account.limit,
	};

	if (process) {
		mark.process = process->pid;
		memcpy(mark.command, process->command, sizeof mark.command);
	}
	if (service->on_mark)
		service->on_mark(service->mark_context, group, &mark);
}

void vmsi_serve_marks(struct vms_group *group, pid_t process)
{
	int index;

	while ((index = vmsi_marks_take_untold(&group->account.marks)) >= 0)
		tell(group, (unsigned)index,
		     process ? vmsi_process_find(group, process) : NULL);
}

int vms_group_set_limit(vms_group *group, size_t limit)
{
	if (!group || limit == 0) {
		errno = EINVAL;
		return -1;
	}
	vmsi_account_set_limit(&group->account, limit);
	return 0;
}

int vms_group_set_marks(vms_group *group, const size_t marks[VMS_GROUP_MARKS])
{
	if (!group || !marks) {
		errno = EINVAL;
		return -1;
	}
	vmsi_marks_set(&group->account.marks, marks);
	return 0;
}

int vms_group_watch(vms_group *group, int descriptor)
{
	if (!group) {
		errno = EINVAL;
		return -1;
	}
	group->service->watched = descriptor < 0 ? -1 : descriptor;
	return 0;
}

/*
 * The number of a process that has no pidfd may be that of a stranger by now. The
 * first one is the caller's child, and keeps its number until it is waited for.
 */
static int send_signal(const struct vms_group *group,
		       const struct vmsi_process *process, int signal)
{
	if (process->pidfd >= 0)
		return (int)syscall(SYS_pidfd_send_signal, process->pidfd,
				    signal, NULL, 0);
	if (process->pid == group->members.first && !group->service->first_ended)
		return kill(process->pid, signal);
	errno = EMFILE;
	return -1;
}

int vms_group_signal(vms_group *group, pid_t process, int signal)
{
	const struct vmsi_process *found;

	if (!group || process <= 0) {
		errno = EINVAL;
		return -1;
	}
	found = vmsi_process_find(group, process);
	if (!found) {
		errno = ESRCH;
		return -1;
	}
	return send_signal(group, found, signal);
}
