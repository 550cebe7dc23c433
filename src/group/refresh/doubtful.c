/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "group/refresh/members.h"

/*
 * The process with the most that a look may take off its count; NULL: all counts
 * are as the last look found them.
 */
static struct vmsi_process *find_most_doubtful(struct vms_group *group)
{
	struct vmsi_process *most = NULL, *process = NULL;
	size_t doubt = 0;

	while ((process = vmsi_process_next(group, process)))
		if (process->account.unseen > doubt) {
			most = process;
			doubt = process->account.unseen;
		}
	return most;
}

void vmsi_look_at_doubtful(struct vms_group *group, size_t target)
{
	struct vmsi_process *most;

	for (size_t looks = group->members.count;
	     vmsi_account_committed(&group->account) > target && looks;
	     looks--) {
		most = find_most_doubtful(group);
		if (!most)
			return;
		vmsi_look(group, most, most->pid);
	}
}

void vmsi_look_to_lower(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, size_t target)
{
	if (vmsi_account_committed(&group->account) > target &&
	    group->account.forks)
		vmsi_members_search(group);
	if (vmsi_account_committed(&group->account) > target)
		vmsi_look(group, process, thread);
	vmsi_look_at_doubtful(group, target);
}
