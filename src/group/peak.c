/* SPDX-License-Identifier: MIT */
#include "group/state.h"

/*
 * The peak is what people set a limit by, so it is of figures that were looked
 * at. A count that passes it is looked into: at once where it is by as much as
 * this, else now and then.
 */
#define PEAK_SLACK(peak) ((peak) / 8 + ((size_t)16 << 20))

/* Looks that no request waits for take such a part of the time at most. */
#define LOOKS_PART 100

uint64_t vmsi_group_next_look(uint64_t begin)
{
	const uint64_t now = vmsi_group_now();

	return now + LOOKS_PART * (now - begin);
}

/* What moves is there once. */
void vmsi_group_raise_peak(struct vms_group *group, size_t bytes)
{
	if (bytes > group->peak + group->moving)
		group->peak = bytes - group->moving;
}

/*
 * Memory that was counted by the last look may have been given back since, by
 * other processes or with shared objects: only a look at everything tells.
 */
static void look_at_others(struct vms_group *group, size_t target)
{
	if (group->committed > target &&
	    (group->process_count > 1 || group->shared))
		vmsi_group_look_at_all(group);
}

void vmsi_group_note_peak(struct vms_group *group,
			  struct vmsi_process *process, pid_t thread,
			  size_t bytes)
{
	const size_t count = group->committed + bytes;
	const size_t target = group->peak > bytes ? group->peak - bytes : 0;
	uint64_t begin;

	if (count <= group->peak)
		return;
	begin = vmsi_group_now();
	if (count - group->peak < PEAK_SLACK(group->peak) &&
	    begin < group->next_peak_look)
		return;
	vmsi_group_bring_down(group, process, thread, target);
	look_at_others(group, target);
	group->next_peak_look = vmsi_group_next_look(begin);
	/* More may have been found than leaves room for it. */
	if (vmsi_group_fits(group, bytes) ||
	    group->options.policy != VMS_COMMIT_STRICT)
		vmsi_group_raise_peak(group, group->committed + bytes);
}

/* What was granted last may have been a peak that nothing followed. */
void vmsi_group_note_idle_peak(struct vms_group *group)
{
	const uint64_t begin = vmsi_group_now();

	/* What is made meanwhile counts twice: not before that is over. */
	if (vmsi_group_has_unmade(group)) {
		group->next_peak_look = vmsi_group_next_look(begin);
		return;
	}
	if (group->committed > group->peak && group->unborn_count)
		vmsi_unborn_settle(group);
	vmsi_group_look_at_doubtful(group, group->peak);
	look_at_others(group, group->peak);
	group->next_peak_look = vmsi_group_next_look(begin);
	vmsi_group_raise_peak(group, group->committed);
}

/*
 * By no more than that process may have grown by since it was looked at; and
 * without copies of which it is not known whether there are any.
 */
void vmsi_group_note_last(struct vms_group *group,
			  const struct vmsi_process *process)
{
	const size_t known = group->committed - group->unborn_bytes -
		group->moving;
	const size_t sure = process->measured + process->moving;
	size_t doubt = process->committed > sure ?
		process->committed - sure : 0;

	if (known <= group->peak)
		return;
	if (doubt > known - group->peak)
		doubt = known - group->peak;
	group->peak += doubt;
}
