/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include <string.h>

#include "group/measure/measure.h"
#include "group/measure/shared_objects.h"
#include "group/process/proc.h"
#include "group/refresh/counter.h"
#include "group/refresh/granted.h"
#include "group/refresh/members.h"

static void look(struct vms_group *group, struct vmsi_process *process,
		 pid_t thread, struct vmsi_shared_objects *objects)
{
	struct vmsi_process *counter = vmsi_counter_update(group, process);

	if (counter == process) {
		vmsi_look_at_own(group, process, thread, objects);
		return;
	}
	/* The counter has what this process was granted and has made. */
	vmsi_granted_check(group, process);
	if (vmsi_account_hand_over(&group->account, &process->account,
				   &counter->account))
		vmsi_look_at_own(group, counter, counter->pid, NULL);
}

void vmsi_look(struct vms_group *group, struct vmsi_process *process,
	       pid_t thread)
{
	look(group, process, thread, NULL);
}

/* --- images --------------------------------------------------------------- */

/* A process has executed a program: count what that has before its first request. */
static void count_image(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, const struct vmsi_proc_stat *stat)
{
	struct vmsi_measure measure;

	vmsi_account_note_last(&group->account, &process->account);
	vmsi_counter_leave(group, process);
	vmsi_counter_reassign_memory(group, process);
	vmsi_account_executes(&group->account, &process->account);
	process->stack = 0;
	process->is_plain = false;
	process->data_end = process->heap_start = stat->heap_start;
	vmsi_breaks_begin(&process->breaks, stat->heap_start);
	memcpy(process->command, stat->command, sizeof stat->command);
	group->looks->count++;
	if (vmsi_measure_image(thread, &measure))
		return;
	process->stack = measure.stack;
	process->loader_start = measure.loader_start;
	process->loader_end = measure.loader_end;
	vmsi_account_measured(&group->account, &process->account,
			      measure.committed);
}

void vmsi_look_at_image(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, const struct vmsi_proc_stat *stat)
{
	/*
	 * The process is another program if its heap begins elsewhere. Where addresses
	 * are not random both may begin at the same one. Then a process that has a
	 * credit tells: it was forked, and if it has executed since, this is the new
	 * program.
	 */
	if (stat->heap_start != process->heap_start ||
	    (process->account.credit && stat->has_executed))
		count_image(group, process, thread, stat);
	else if (thread != process->executing)
		/*
		 * The thread still runs the old program, and the execve of
		 * another thread is about to end it.
		 */
		return;
	process->executing = 0;
}

/* --- all ------------------------------------------------------------------ */

void vmsi_look_at_all(struct vms_group *group)
{
	struct vmsi_shared_objects objects = { NULL, 0, 0 };
	const bool loose = vmsi_account_has_loose(&group->account);
	struct vmsi_process *process = NULL;
	size_t bytes;

	vmsi_members_search(group);
	while ((process = vmsi_process_next(group, process)))
		look(group, process, process->pid, &objects);
	if (loose)
		vmsi_shared_objects_keep(group, &objects);
	bytes = vmsi_shared_objects_bytes(group, &objects);
	vmsi_shared_objects_apply(group, &objects);
	vmsi_shared_objects_free(&objects);
	vmsi_account_measured_objects(&group->account, bytes, loose);
}
