/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "group/clock.h"
#include "group/measure/shared.h"
#include "group/process/proc.h"
#include "group/refresh/counter.h"
#include "group/refresh/members.h"

void vmsi_look_at_files(struct vms_group *group)
{
	const uint64_t begin = vmsi_now();

	if (!group->shared->maps_pages || begin < group->looks->next_files)
		return;
	vmsi_look_at_all_for_peak(group);
	group->looks->next_files = vmsi_next_look(begin);
}

/*
 * Charge what the stack of a process has grown by. The forks under way that copy its
 * memory copy that as well.
 */
static void look_at_stack(struct vms_group *group, struct vmsi_process *process)
{
	const size_t stack = vmsi_counter_update(group, process) != process ? 0 :
		vmsi_proc_stack(process->pid);

	if (process->stack && stack > process->stack)
		vmsi_account_grew(&group->account, &process->account,
				  stack - process->stack,
				  vmsi_members_forking(group, process));
	if (stack > process->stack)
		process->stack = stack;
}

void vmsi_look_at_stacks(struct vms_group *group)
{
	const uint64_t begin = vmsi_now();
	struct vmsi_process *process = NULL;

	if (begin < group->looks->next_stacks)
		return;
	while ((process = vmsi_process_next(group, process)))
		look_at_stack(group, process);
	group->looks->next_stacks = vmsi_next_look(begin);
}
