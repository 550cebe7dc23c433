/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "group/clock.h"
#include "group/process/proc.h"

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

void vmsi_look_after_refusal(struct vms_group *group)
{
	const uint64_t begin = vmsi_now();

	if (begin < group->looks->next_refused)
		return;
	/*
	 * The program goes on meanwhile, and may leave a memory that it shared: so this
	 * sum, in which such a memory may be twice, makes no peak.
	 */
	vmsi_look_at_all(group);
	group->looks->next_refused = vmsi_next_look(begin);
}
