/* SPDX-License-Identifier: MIT */
#include "group/state.h"

/*
 * Forks that were let through, of children that have not been seen yet: what
 * each copies is in the account until its child is known.
 */

struct vmsi_breaks vmsi_unborn_breaks(struct vms_group *group,
				      struct vmsi_process *process)
{
	return vmsi_process_counter(group, process)->breaks;
}

struct copiers {
	const struct vmsi_process *counter;
	struct vmsi_account_process *first;
};

/* To ask who counts its memory may bring a look at it. */
static bool add_copier(struct vms_group *group, struct vmsi_process *process,
		       void *context)
{
	struct copiers *copiers = context;

	if (vmsi_account_forks_under_way(&process->account) &&
	    vmsi_process_counter(group, process) == copiers->counter) {
		process->account.next_copier = copiers->first;
		copiers->first = &process->account;
	}
	return true;
}

struct vmsi_account_process *
vmsi_unborn_copiers(struct vms_group *group, struct vmsi_process *process)
{
	struct copiers copiers = { .first = NULL };

	if (group->account.forks == 0 ||
	    (group->options.flags & VMS_GROUP_FORK_FREE))
		return NULL;
	copiers.counter = vmsi_process_counter(group, process);
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

/* In this order: what was made has a child that is found, or had one. */
void vmsi_unborn_settle(struct vms_group *group)
{
	if (group->account.forks)
		vmsi_processes_each(group, check_forks, NULL);
	vmsi_account_seek(&group->account);
	vmsi_tree_discover(group);
	vmsi_account_drop_sought(&group->account);
}
