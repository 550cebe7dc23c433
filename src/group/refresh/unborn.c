/* SPDX-License-Identifier: MIT */
#include "group/refresh/members.h"

#include "group/refresh/counter.h"
#include "group/refresh/granted.h"

/*
 * vmsi_counter_update looks at a process that has left a memory, and that look
 * links copiers, too: so all are asked before any is linked.
 */
struct vmsi_account_process *
vmsi_members_forking(struct vms_group *group, struct vmsi_process *process)
{
	const struct vmsi_process *counter;
	struct vmsi_process *other = NULL;

	if (group->account.forks == 0 || (group->flags & VMS_GROUP_FORK_FREE))
		return NULL;
	counter = vmsi_counter_update(group, process);
	while ((other = vmsi_process_next(group, other)))
		if (vmsi_account_forks_under_way(&other->account))
			(void)vmsi_counter_update(group, other);
	return vmsi_members_noted_forking(group, counter);
}

/*
 * Which forks were made is asked before the search. A fork that is made during
 * the search stays, since the search may have missed its child.
 */
void vmsi_members_search(struct vms_group *group)
{
	struct vmsi_process *process = NULL;

	while (group->account.forks &&
	       (process = vmsi_process_next(group, process)))
		if (vmsi_account_forks_under_way(&process->account))
			vmsi_granted_check(group, process);
	vmsi_account_seek(&group->account);
	vmsi_tree_discover(group);
	vmsi_account_drop_sought(&group->account);
}
