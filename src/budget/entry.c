/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "budget/member.h"

/* What every public call on a budget does first and last. */

struct vmsi_lock vmsi_budget_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_BUDGET);

int vmsi_budget_status(int error)
{
	if (error == 0)
		return 0;
	errno = -error;
	return -1;
}

void vmsi_budget_enter(struct vms_budget *budget)
{
	vmsi_lock_acquire(&vmsi_budget_lock);
	for (; budget; budget = budget->parent)
		if (budget->joined && !atomic_load(budget->joined))
			vmsi_member_renew(budget);
}

void vmsi_budget_leave(void)
{
	vmsi_lock_release(&vmsi_budget_lock);
}
