/* SPDX-License-Identifier: MIT */
#include "cli/sight/difference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct vmsi_process *vmsi_seen_processes_add(struct vmsi_seen_processes *processes)
{
	struct vmsi_process *list =
		vmsi_with_capacity(processes->list, processes->count,
				   &processes->capacity, sizeof(*list));

	if (!list)
		return NULL;
	processes->list = list;
	list[processes->count] = (struct vmsi_process){ 0 };
	return &list[processes->count++];
}

void vmsi_seen_processes_free(struct vmsi_seen_processes *processes)
{
	for (size_t i = 0; i < processes->count; i++)
		vmsi_process_free(&processes->list[i]);
	free(processes->list);
	*processes = (struct vmsi_seen_processes){ 0 };
}

/* --- two of a process ----------------------------------------------------- */

/* Add the owners of a process, or take them away. */
static int add_owners(struct vmsi_process *difference,
		      const struct vmsi_process *process,
		      void (*apply)(struct vmsi_figures *,
				    const struct vmsi_figures *))
{
	struct vmsi_owners *owners = &difference->owners;

	for (size_t i = 0; i < process->owners.count; i++) {
		const struct vmsi_owner *owner = &process->owners.list[i];
		const struct vmsi_scan label = {
			owner->name->label,
			owner->name->label + owner->name->label_length,
		};
		struct vmsi_name *name = vmsi_owners_name(owners, label);
		const uint32_t number = name ?
			vmsi_owners_find(owners, owner->kind, name) :
			VMSI_NO_OWNER;

		if (number == VMSI_NO_OWNER)
			return -ENOMEM;
		apply(&owners->list[number].figures, &owner->figures);
	}
	apply(&difference->total, &process->total);
	return 0;
}

static void take_status(struct vmsi_status *status, const struct vmsi_status *less)
{
	status->resident -= less->resident;
	status->resident_anonymous -= less->resident_anonymous;
	status->resident_file -= less->resident_file;
	status->resident_shared -= less->resident_shared;
	status->swapped -= less->swapped;
	status->locked -= less->locked;
}

static int compare(struct vmsi_seen_processes *differences,
		   const struct vmsi_process *before,
		   const struct vmsi_process *after)
{
	static const struct vmsi_process nothing = { .what = ~0u };
	const struct vmsi_process *named = after ? after : before;
	struct vmsi_process *difference = vmsi_seen_processes_add(differences);
	int error;

	if (!difference)
		return -ENOMEM;
	before = before ? before : &nothing;
	after = after ? after : &nothing;
	difference->pid = named->pid;
	memcpy(difference->command, named->command, sizeof(difference->command));
	difference->what = (before->what & after->what & VMSI_SEE_PAGES) |
		VMSI_SEE_DIFFERENCE;
	difference->status = after->status;
	take_status(&difference->status, &before->status);
	error = add_owners(difference, after, vmsi_figures_add);
	return error ? error : add_owners(difference, before, vmsi_figures_take);
}

/* --- all of them ---------------------------------------------------------- */

static const struct vmsi_process *find(const struct vmsi_seen_processes *processes,
				       pid_t pid)
{
	for (size_t i = 0; i < processes->count; i++)
		if (processes->list[i].pid == pid)
			return &processes->list[i];
	return NULL;
}

int vmsi_seen_processes_compare(struct vmsi_seen_processes *differences,
			   const struct vmsi_seen_processes *before,
			   const struct vmsi_seen_processes *after)
{
	int error = 0;

	*differences = (struct vmsi_seen_processes){ 0 };
	if (before->count == 1 && after->count == 1)
		return compare(differences, before->list, after->list);
	for (size_t i = 0; !error && i < after->count; i++)
		error = compare(differences, find(before, after->list[i].pid),
				&after->list[i]);
	for (size_t i = 0; !error && i < before->count; i++)
		if (!find(after, before->list[i].pid))
			error = compare(differences, &before->list[i], NULL);
	return error;
}
