/* SPDX-License-Identifier: MIT */
#include "cli/supervise/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"

const char *vmsi_call_name(enum vms_group_call call)
{
	switch (call) {
	case VMS_GROUP_MMAP:
		return "mmap";
	case VMS_GROUP_MPROTECT:
		return "mprotect";
	case VMS_GROUP_MREMAP:
		return "mremap";
	case VMS_GROUP_BRK:
		return "brk";
	case VMS_GROUP_FORK:
		return "fork";
	case VMS_GROUP_EXEC:
		return "execve";
	case VMS_GROUP_SHMGET:
		return "shmget";
	}
	/*
	 * A library that is newer than the command may have more kinds of calls.
	 */
	return "a call";
}

/*
 * Insert a process into the list, which stays sorted and keeps the largest ones.
 */
static void insert(struct vmsi_largest *largest,
		   const struct vms_group_process *process)
{
	size_t at = largest->count < VMSI_LARGEST ? largest->count++ : VMSI_LARGEST - 1;

	if (at == VMSI_LARGEST - 1 && largest->list[at].committed &&
	    largest->list[at].committed >= process->committed)
		return;
	while (at > 0 && largest->list[at - 1].committed < process->committed) {
		largest->list[at] = largest->list[at - 1];
		at--;
	}
	largest->list[at] = *process;
}

struct vmsi_largest vmsi_largest_find(vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	struct vmsi_largest largest = { .count = 0 };
	size_t cursor = 0;

	while (vms_group_next_process(group, &cursor, &process) == 1 &&
	       !process.ended)
		insert(&largest, &process);
	return largest;
}

static int add(struct vmsi_snapshot *snapshot,
	       const struct vms_group_process *process)
{
	struct vms_group_process *list =
		vmsi_with_capacity(snapshot->processes, snapshot->process_count,
			       &snapshot->process_room, sizeof *list);

	if (!list)
		return -ENOMEM;
	snapshot->processes = list;
	list[snapshot->process_count++] = *process;
	return 0;
}

int vmsi_snapshot_take(struct vmsi_snapshot *snapshot, vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	struct vms_group_stats *stats = &snapshot->stats;
	size_t cursor = 0;
	int error = 0;

	stats->struct_size = sizeof *stats;
	(void)vms_group_get_stats(group, stats);
	snapshot->status = vms_group_status(group);
	snapshot->processes = NULL;
	snapshot->process_count = snapshot->process_room = 0;
	while (!error && vms_group_next_process(group, &cursor, &process) == 1)
		error = add(snapshot, &process);
	return error;
}

void vmsi_snapshot_free(struct vmsi_snapshot *snapshot)
{
	free(snapshot->processes);
}
