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

/*
 * Memory that was counted by the last look may have been given back since, by
 * other processes or with shared objects: only a look at everything tells.
 */
static void look_at_others(struct vms_group *group, size_t target)
{
	if (vmsi_account_committed(&group->account) > target &&
	    (group->process_count > 1 || group->account.objects))
		vmsi_group_look_at_all(group);
}

bool vmsi_group_look_for_peak(struct vms_group *group,
			      struct vmsi_process *process, pid_t thread,
			      size_t bytes)
{
	const size_t above = vmsi_account_above_peak(&group->account, bytes);
	const size_t target = vmsi_account_below_peak(&group->account, bytes);
	uint64_t begin;

	if (above == 0)
		return false;
	begin = vmsi_group_now();
	if (above < PEAK_SLACK(group->account.peak) &&
	    begin < group->next_peak_look)
		return false;
	vmsi_group_bring_down(group, process, thread, target);
	look_at_others(group, target);
	group->next_peak_look = vmsi_group_next_look(begin);
	return true;
}

/* What was granted last may have been a peak that nothing followed. */
void vmsi_group_note_idle_peak(struct vms_group *group)
{
	const uint64_t begin = vmsi_group_now();
	const size_t peak = group->account.peak;

	/* What is made meanwhile counts twice: not before that is over. */
	if (vmsi_group_has_unmade(group)) {
		group->next_peak_look = vmsi_group_next_look(begin);
		return;
	}
	if (vmsi_account_committed(&group->account) > peak &&
	    group->account.forks)
		vmsi_unborn_settle(group);
	vmsi_group_look_at_doubtful(group, peak);
	look_at_others(group, peak);
	group->next_peak_look = vmsi_group_next_look(begin);
	vmsi_account_raise_peak(&group->account);
}
