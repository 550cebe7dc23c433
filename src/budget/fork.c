/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "budget/budget.h"
#include "budget/callback.h"
#include "budget/member.h"
#include "budget/round.h"

/*
 * fork(2). The child has a copy of every budget. For a shared one it needs a
 * slot of its own, which the parent fills before there is a child: with all
 * that the parent has charged, but not with objects a second time, which the
 * two hold together. A child of a raw clone(2) runs no handlers; its first call
 * finds a page that the kernel has wiped (budget->joined), and gets a slot
 * (vmsi_budget_enter).
 */

static void before_fork(void)
{
	vmsi_lock_acquire_any(&vmsi_budget_lock);
	for (struct vms_budget *budget = vmsi_budget_shared_list; budget;
	     budget = budget->next)
		vmsi_member_prepare_child(budget);
}

static void after_fork_in_parent(void)
{
	for (struct vms_budget *budget = vmsi_budget_shared_list; budget;
	     budget = budget->next)
		vmsi_member_leave_child(budget);
	vmsi_lock_release_any(&vmsi_budget_lock);
}

static void after_fork_in_child(void)
{
	vmsi_lock_release_any(&vmsi_budget_lock);
	vmsi_budgets_forked(vmsi_callback_budget());
	for (struct vms_budget *budget = vmsi_budget_shared_list; budget;
	     budget = budget->next)
		vmsi_member_become_child(budget);
}

/*
 * The priority registers the handlers before those of spaces. So the lock is
 * taken after theirs, and in the child the budgets are in order before spaces
 * uncharge what it has not inherited. If pthread_atfork has no memory, the
 * wiped page still tells of a fork.
 */
__attribute__((constructor(1000))) void vmsi_budget_handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&done))
		(void)pthread_atfork(before_fork, after_fork_in_parent,
				     after_fork_in_child);
}
