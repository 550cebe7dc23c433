/* SPDX-License-Identifier: MIT */
#include "group/refresh/members.h"

#include "group/refresh/counter.h"
#include "group/refresh/granted.h"

struct copiers {
	const struct vmsi_process *counter;
	struct vmsi_account_process *first;
};

static bool add_copier(struct vms_group *group, struct vmsi_process *process,
		       void *context)
{
	struct copiers *copiers = context;

	if (vmsi_account_forks_under_way(&process->account) &&
	    vmsi_counter_find(group, process) == copiers->counter) {
		process->account.next_copier = copiers->first;
		copiers->first = &process->account;
	}
	return true;
}

struct vmsi_account_process *
vmsi_members_forking(struct vms_group *group, struct vmsi_process *process)
{
	struct copiers copiers = { .first = NULL };

	if (group->account.forks == 0 || (group->flags & VMS_GROUP_FORK_FREE))
		return NULL;
	copiers.counter = vmsi_counter_find(group, process);
	vmsi_processes_each(group, add_copier, &copiers);
	return copiers.first;
}

static bool check_forks(struct vms_group *group, struct vmsi_process *process,
			void *context)
{
	(void)context;
	if (vmsi_account_forks_under_way(&process->account))
		vmsi_granted_check(group, process);
	return true;
}

/*
 * Which forks were made is asked before the search: the child of one that is made
 * later need not be found by it.
 */
void vmsi_members_search(struct vms_group *group)
{
	if (group->account.forks)
		vmsi_processes_each(group, check_forks, NULL);
	vmsi_account_seek(&group->account);
	vmsi_tree_discover(group);
	vmsi_account_drop_sought(&group->account);
}
