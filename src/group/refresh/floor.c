/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "group/clock.h"
#include "group/process/proc.h"

/* A group that is never idle is looked at after so many calls. */
#define CALLS_BEFORE_LOOK 64

/*
 * The kernel keeps the sum of the mappings that a process may write to and shares with
 * nobody (the data of statm). Linux charges each of them when it is made, but for huge
 * pages: so where there are none the process has been charged that much at least. It is
 * exact but for memory that was made read-only since it was charged, and it follows what
 * is given back at once.
 */
size_t vmsi_look_at_floor(struct vms_group *group)
{
	struct vmsi_process *process = NULL;
	size_t floor = 0;

	while ((process = vmsi_process_next(group, process)))
		if (process->is_plain && !process->shares_with)
			floor += vmsi_proc_data(process->pid);
	return floor;
}

void vmsi_look_owe(struct vms_group *group)
{
	if (!group->looks->owed && vmsi_now() >= group->looks->next_refused)
		group->looks->owed = CALLS_BEFORE_LOOK;
}

bool vmsi_look_at_owed(struct vms_group *group, bool is_idle)
{
	struct vmsi_looks *looks = group->looks;
	uint64_t begin;

	if (!looks->owed || (!is_idle && --looks->owed))
		return false;
	/*
	 * The program goes on meanwhile, and may leave a memory that it shared: so this
	 * sum, in which such a memory may be twice, makes no peak.
	 */
	begin = vmsi_now();
	vmsi_look_at_all(group);
	looks->owed = 0;
	looks->next_refused = vmsi_next_look(begin);
	return true;
}
