/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "group/refresh/members.h"

struct doubt {
	struct vmsi_process *process;
	size_t bytes;
};

static bool compare_doubt(struct vms_group *group, struct vmsi_process *process,
			  void *context)
{
	struct doubt *most = context;
	const size_t bytes = vmsi_account_doubt(&process->account);

	(void)group;
	if (bytes > most->bytes)
		*most = (struct doubt){ process, bytes };
	return true;
}

void vmsi_look_at_doubtful(struct vms_group *group, size_t target)
{
	struct doubt most;

	for (size_t looks = group->members.count;
	     vmsi_account_committed(&group->account) > target && looks;
	     looks--) {
		most = (struct doubt){ NULL, 0 };
		vmsi_processes_each(group, compare_doubt, &most);
		if (!most.process)
			return;
		vmsi_look(group, most.process, most.process->pid);
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
