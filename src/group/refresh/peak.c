/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "group/clock.h"
#include "group/refresh/granted.h"
#include "group/refresh/members.h"

/*
 * People set a limit by the peak, so it is a sum that was looked at. A count
 * that passes the peak by at least this much is looked into at once, one that
 * passes it by less now and then.
 */
#define PEAK_SLACK(peak) ((peak) / 8 + ((size_t)16 << 20))

/* Looks that no request waits for take one part in so many of the time. */
#define LOOKS_PART 100

uint64_t vmsi_next_look(uint64_t begin)
{
	const uint64_t now = vmsi_now();

	return now + LOOKS_PART * (now - begin);
}

void vmsi_look_at_others(struct vms_group *group, size_t target)
{
	if (vmsi_account_committed(&group->account) > target &&
	    (group->members.count > 1 || group->account.objects))
		vmsi_look_at_all(group);
}

bool vmsi_look_for_peak(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, size_t bytes)
{
	const size_t above = vmsi_account_above_peak(&group->account, bytes);
	const size_t target = vmsi_account_below_peak(&group->account, bytes);
	uint64_t begin;

	if (above == 0)
		return false;
	begin = vmsi_now();
	if (above < PEAK_SLACK(group->account.peak) &&
	    begin < group->looks->next_peak)
		return false;
	vmsi_look_to_lower(group, process, thread, target);
	vmsi_look_at_others(group, target);
	group->looks->next_peak = vmsi_next_look(begin);
	return true;
}

/*
 * A call under way may be about to put a file in place of private memory. Then
 * the figures have the memory and the account has the file as well, so a sum
 * above the limit is no peak, unless all calls were made before the look.
 */
void vmsi_look_at_all_for_peak(struct vms_group *group)
{
	const bool all_made = !vmsi_granted_check_all(group);

	vmsi_look_at_all(group);
	if (all_made || vmsi_account_fits(&group->account, 0))
		vmsi_account_raise_peak(&group->account);
}

/*
 * While a call is under way its memory may be in the figures and in the account,
 * so the sum is too high for a peak: the look is put off until it has been made.
 */
void vmsi_look_at_idle_peak(struct vms_group *group)
{
	const uint64_t begin = vmsi_now();
	const size_t peak = group->account.peak;

	if (vmsi_granted_check_all(group)) {
		group->looks->next_peak = vmsi_next_look(begin);
		return;
	}
	if (vmsi_account_committed(&group->account) > peak &&
	    group->account.forks)
		vmsi_members_search(group);
	vmsi_look_at_doubtful(group, peak);
	vmsi_look_at_others(group, peak);
	group->looks->next_peak = vmsi_next_look(begin);
	vmsi_account_raise_peak(&group->account);
}
