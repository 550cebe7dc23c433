/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "budget/budget.h"
#include "budget/member.h"

/*
 * fork(2). The child has a copy of every budget. A shared one needs a slot of
 * the child's own, in which all that its parent process had charged is charged
 * again, but for objects, which the two hold together. The parent fills it before
 * there is a child. A child made by a raw system call is noticed at its first
 * call, by a page that the kernel wipes on fork (vmsi_budget_enter).
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
	vmsi_lock_init(&vmsi_budget_lock, VMSI_RANK_BUDGET);
	for (struct vms_budget *budget = vmsi_budget_shared_list; budget;
	     budget = budget->next)
		vmsi_member_become_child(budget);
}

/*
 * Registered before the handlers of spaces, whose constructor has no priority:
 * so the lock is taken after theirs, and in the child budgets are in order
 * before spaces uncharge what it has not inherited. Where this fails for want
 * of memory, children are still noticed by the wiped page.
 */
__attribute__((constructor(1000))) void vmsi_budget_handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&done))
		(void)pthread_atfork(before_fork, after_fork_in_parent,
				     after_fork_in_child);
}
