/* SPDX-License-Identifier: MIT */
#include "cli/supervise/snapshot.h"

#include <errno.h>
#include <stdlib.h>

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
	/* A library that is newer than the command may ask about more calls. */
	return "a call";
}

/* The list stays in order, the largest first, and keeps the largest ones. */
static void insert(struct vmsi_holders *holders,
		   const struct vms_group_process *process)
{
	size_t at = holders->count < VMSI_HOLDERS ? holders->count++ : VMSI_HOLDERS - 1;

	if (at == VMSI_HOLDERS - 1 && holders->list[at].committed &&
	    holders->list[at].committed >= process->committed)
		return;
	while (at > 0 && holders->list[at - 1].committed < process->committed) {
		holders->list[at] = holders->list[at - 1];
		at--;
	}
	holders->list[at] = *process;
}

struct vmsi_holders vmsi_holders_find(vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	struct vmsi_holders holders = { .count = 0 };
	size_t cursor = 0;

	while (vms_group_next_process(group, &cursor, &process) == 1 &&
	       !process.ended)
		insert(&holders, &process);
	return holders;
}

static int add(struct vmsi_snapshot *snapshot,
	       const struct vms_group_process *process)
{
	const size_t count = snapshot->process_count;
	struct vms_group_process *list = snapshot->processes;

	/* The room doubles whenever the count has reached it: a power of two. */
	if ((count & (count - 1)) == 0) {
		list = reallocarray(list, count ? 2 * count : 1, sizeof *list);
		if (!list)
			return -ENOMEM;
		snapshot->processes = list;
	}
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
	snapshot->process_count = 0;
	while (!error && vms_group_next_process(group, &cursor, &process) == 1)
		error = add(snapshot, &process);
	return error;
}

void vmsi_snapshot_free(struct vmsi_snapshot *snapshot)
{
	free(snapshot->processes);
}
