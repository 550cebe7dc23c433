/* SPDX-License-Identifier: MIT */
#include "group/refresh/counter.h"

#include "group/refresh/looks.h"

/*
 * A child that has its parent's memory may have such children itself, so that
 * shares_with leads from one to the next. A chain is followed for so many steps,
 * since numbers of processes come again and it might be a ring.
 */
#define CHAIN_MOST 64

void vmsi_counter_leave(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_process *other = process->shares_with ?
		vmsi_process_find(group, process->shares_with) : NULL;

	if (other)
		vmsi_account_leave(&group->account, &process->account,
				   &other->account);
	process->shares_with = 0;
}

/* The process of shares_with, if the two still have one memory; NULL: none. */
static struct vmsi_process *next_in_chain(struct vms_group *group,
					  struct vmsi_process *process)
{
	if (!process->shares_with)
		return NULL;
	if (vmsi_have_one_memory(process->pid, process->shares_with))
		return vmsi_process_find(group, process->shares_with);
	vmsi_counter_leave(group, process);
	vmsi_look_at_own(group, process, process->pid, NULL);
	return NULL;
}

struct vmsi_process *vmsi_counter_update(struct vms_group *group,
				       struct vmsi_process *process)
{
	struct vmsi_process *next = next_in_chain(group, process);

	for (int i = 1; i < CHAIN_MOST && next; i++) {
		process = next;
		next = next_in_chain(group, process);
	}
	return process;
}

/* --- when the counter leaves ---------------------------------------------- */

static void reassign(struct vms_group *group, struct vmsi_process *process,
		     const struct vmsi_breaks *breaks)
{
	process->shares_with = vmsi_process_find_sharer(group, process);
	if (process->shares_with)
		return;
	process->breaks = *breaks;
	vmsi_look_at_own(group, process, process->pid, NULL);
}

void vmsi_counter_reassign_memory(struct vms_group *group,
				  const struct vmsi_process *counter)
{
	struct vmsi_process *process = NULL;

	while ((process = vmsi_process_next(group, process)))
		if (process->shares_with == counter->pid)
			reassign(group, process, &counter->breaks);
}

/*
 * A file that is about to replace private memory counts in place of it already,
 * but a fork may still copy the memory: so it is added.
 */
size_t vmsi_counter_copy(struct vms_group *group, struct vmsi_process *process)
{
	const struct vmsi_process *counter = vmsi_counter_update(group, process);
	struct vmsi_process *other = NULL;
	size_t bytes = 0;

	while ((other = vmsi_process_next(group, other)))
		if (vmsi_counter_update(group, other) == counter)
			bytes += vmsi_account_of(&other->account) +
				vmsi_account_replaced(&other->account);
	return bytes;
}
