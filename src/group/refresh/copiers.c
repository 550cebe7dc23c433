/* SPDX-License-Identifier: MIT */
#include "group/refresh/members.h"

/* Numbers of processes come again, so shares_with might lead round a ring. */
#define CHAIN_MOST 64

static const struct vmsi_process *noted_counter(struct vms_group *group,
						const struct vmsi_process *process)
{
	for (int i = 1; i < CHAIN_MOST && process && process->shares_with; i++)
		process = vmsi_process_find(group, process->shares_with);
	return process;
}

struct vmsi_account_process *
vmsi_members_noted_forking(struct vms_group *group,
			   const struct vmsi_process *counter)
{
	struct vmsi_account_process *first = NULL;
	struct vmsi_process *other = NULL;

	if (group->account.forks == 0 || (group->flags & VMS_GROUP_FORK_FREE))
		return NULL;
	while ((other = vmsi_process_next(group, other)))
		if (vmsi_account_forks_under_way(&other->account) &&
		    noted_counter(group, other) == counter) {
			other->account.next_copier = first;
			first = &other->account;
		}
	return first;
}
