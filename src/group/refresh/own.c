/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include <errno.h>

#include "group/measure/measure.h"
#include "group/process/proc.h"
#include "group/refresh/granted.h"
#include "group/refresh/members.h"

/* The first thread of a process may have ended before the others. */
static void look_by_another_thread(struct vms_group *group,
				   struct vmsi_process *process,
				   struct vmsi_shared_objects *objects)
{
	const pid_t thread = vmsi_proc_thread_with_memory(process->pid);

	if (thread > 0 && thread != process->pid)
		vmsi_look_at_own(group, process, thread, objects);
	else if (thread == 0)
		vmsi_account_emptied(&group->account, &process->account);
}

/* By how much the stack has grown since the last look; 0: that is not known. */
static size_t stack_growth(const struct vmsi_process *process, size_t stack)
{
	return process->stack && stack > process->stack ?
		stack - process->stack : 0;
}

/*
 * Calls that have been made are confirmed before the figures are read: what is
 * made in between counts twice, and not never.
 */
void vmsi_look_at_own(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_shared_objects *objects)
{
	struct vmsi_measure measure;
	size_t grown;
	int error;

	vmsi_granted_check(group, process);
	error = vmsi_measure_process(group, thread, &measure, objects);
	group->looks->count++;
	if (error == -ESRCH && thread == process->pid) {
		look_by_another_thread(group, process, objects);
		return;
	}
	if (error)
		return;
	/*
	 * A program that hides its mappings does not tell where its heap ends:
	 * then data_end stays what was granted.
	 */
	if (measure.data_end)
		process->data_end = measure.data_end;
	process->not_copied = measure.not_copied;
	/* A program that hides its mappings does not tell its stack either. */
	process->is_plain = measure.stack && !measure.free;
	grown = stack_growth(process, measure.stack);
	process->stack = measure.stack;
	vmsi_account_measured(&group->account, &process->account,
			      measure.committed);
	if (grown)
		vmsi_account_copies_grew(&group->account, grown,
			vmsi_members_noted_forking(group, process));
}
