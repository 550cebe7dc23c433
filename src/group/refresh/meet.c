/* SPDX-License-Identifier: MIT */
#include "group/refresh/members.h"

#include <string.h>
#include <unistd.h>

#include "group/process/proc.h"
#include "group/refresh/looks.h"

/*
 * A child is charged what a fork of its parent was granted. But the process that
 * forked may be another one than its parent (CLONE_PARENT, or a subreaper in the
 * group), and nothing tells which of several forks has made the child. So the
 * child may get too little, and is looked at then.
 */
static void take_copy(struct vms_group *group, struct vmsi_process *process,
		      pid_t parent)
{
	/* The first process of a group is no copy of another member. */
	const size_t needed = process->pid == group->members.first ? 0 :
		vmsi_proc_data(process->pid);
	struct vmsi_process *known = vmsi_process_find(group, parent);
	struct vmsi_account_process *of = known ? &known->account : NULL;
	const struct vmsi_effect *copy = known || parent == getpid() ?
		vmsi_account_find_child(&group->account, of, needed) : NULL;
	const bool is_enough =
		(copy ? copy->bytes + copy->credit : 0) >= needed;

	if (!is_enough)
		process->shares_with = vmsi_process_find_sharer(group, process);
	if (process->shares_with)
		return;
	if (copy)
		process->breaks = vmsi_account_born(&group->account, of,
						    &process->account,
						    needed).breaks;
	if (!is_enough)
		vmsi_look_at_own(group, process, process->pid, NULL);
}

/* A child has its parent's signal handlers until it executes a program. */
static void inherit_handlers(struct vms_group *group,
			     struct vmsi_process *process,
			     const struct vmsi_proc_stat *stat)
{
	const struct vmsi_process *parent =
		vmsi_process_find(group, stat->parent);

	if (parent && parent->interruptible && !stat->has_executed)
		vmsi_process_set_interruptible(group, process);
}

struct vmsi_process *vmsi_meet(struct vms_group *group, pid_t pid)
{
	struct vmsi_process *process = vmsi_process_find(group, pid);
	struct vmsi_proc_stat stat = { .parent = 0 };

	if (process)
		return process;
	process = vmsi_process_add(group, pid);
	if (!process)
		return NULL;
	vmsi_account_add(&group->account, &process->account);
	(void)vmsi_proc_read_stat(pid, &stat);
	memcpy(process->command, stat.command, sizeof stat.command);
	process->heap_start = stat.heap_start;
	/* The child of a vfork, for example, has its parent's memory. */
	process->shares_with = vmsi_first_with_memory(pid, stat.parent);
	/* That process counts the memory, so it has to be known as well. */
	if (process->shares_with) {
		(void)vmsi_meet(group, process->shares_with);
		return process;
	}
	take_copy(group, process, stat.parent);
	inherit_handlers(group, process, &stat);
	return process;
}

struct vmsi_process *vmsi_meet_thread(struct vms_group *group, pid_t thread)
{
	const pid_t pid = vmsi_process_of_thread(group, thread);

	return pid > 0 ? vmsi_meet(group, pid) : NULL;
}
