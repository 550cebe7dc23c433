/* SPDX-License-Identifier: MIT */
#include "group/refresh/looks.h"

#include "base/align.h"
#include "group/clock.h"
#include "group/refresh/granted.h"
#include "group/refresh/members.h"

/*
 * A mark is told when it is reached, not when the account is above it, which may
 * be too high. So a request that would reach it by the account alone has
 * processes looked at, as one that would pass the limit has.
 */

static bool would_reach(const struct vms_group *group, size_t bytes)
{
	return vmsi_add_saturating(vmsi_account_committed(&group->account),
				   bytes) >=
		vmsi_marks_next(&group->account.marks);
}

bool vmsi_look_for_marks(struct vms_group *group, struct vmsi_process *process,
			 pid_t thread, size_t bytes)
{
	const size_t next = vmsi_marks_next(&group->account.marks);
	const size_t target = next > bytes ? next - bytes - 1 : 0;

	/* What earlier looks have found counts before the sum rises again. */
	vmsi_account_lower_marks(&group->account);
	if (!would_reach(group, bytes))
		return false;
	vmsi_look_to_lower(group, process, thread, target);
	if (would_reach(group, bytes)) {
		vmsi_granted_wait(group);
		vmsi_look_at_all(group);
	}
	vmsi_account_lower_marks(&group->account);
	return would_reach(group, bytes);
}

/*
 * What a process gives back no call tells, so as long as the sum is not known to
 * be below a mark that was told all is looked at now and then.
 */
void vmsi_look_at_idle_marks(struct vms_group *group)
{
	const uint64_t begin = vmsi_now();

	vmsi_account_lower_marks(&group->account);
	if (!would_reach(group, 0) &&
	    vmsi_marks_again(&group->account.marks) == 0)
		return;
	/* The memory of a call under way may be counted twice. */
	if (begin < group->looks->next_marks || vmsi_granted_check_all(group))
		return;
	vmsi_look_at_all(group);
	vmsi_account_lower_marks(&group->account);
	vmsi_account_reach_marks(&group->account);
	vmsi_account_raise_peak(&group->account);
	group->looks->next_marks = vmsi_next_look(begin);
}
