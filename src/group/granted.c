/* SPDX-License-Identifier: MIT */
#include "group/state.h"

/*
 * What was granted, and may not have been made yet when the kernel's figures
 * are read: it counts on top of them. A thread has made its call when it asks
 * again, when it has ended, stopped or gone to sleep, or when it has run for
 * longer than any call does before it is charged. Time alone is no proof: a
 * thread may wait long for a processor.
 */

/*
 * No call takes a tenth of it; but what the host of a virtual machine takes of a
 * processor's time counts as the thread's.
 */
#define LONGER_THAN_A_CALL_NS (20ull * 1000 * 1000)

/* A fork copies a GiB of small pages in 80 ms; more by several times. */
#define NS_TO_COPY(bytes) ((uint64_t)(bytes) / 2)

struct vmsi_call_notes vmsi_granted_notes(const struct seccomp_notif *call,
					  size_t copied)
{
	return (struct vmsi_call_notes){
		.number = call->data.nr,
		.longest = LONGER_THAN_A_CALL_NS + NS_TO_COPY(copied),
	};
}

/* Such as vfork, which waits for the child, and reads of a disk. */
static bool is_in_another_call(const struct vmsi_process *process,
			       const struct vmsi_effect *granted)
{
	int number = vmsi_proc_system_call(process->pid, granted->thread);

	return number >= 0 && number != granted->notes.number;
}

static bool is_made(const struct vmsi_process *process,
		    struct vmsi_effect *granted)
{
	struct vmsi_call_notes *notes = &granted->notes;
	struct vmsi_proc_running now;

	if (!vmsi_proc_read_running(process->pid, granted->thread, &now))
		return true;
	/* A call that is not charged yet waits for nothing but a lock: D. */
	if (now.state != 'R' && now.state != 'D')
		return true;
	if (now.state == 'D' && is_in_another_call(process, granted))
		return true;
	if (notes->doubted)
		return now.ran > notes->ran + notes->longest;
	notes->doubted = true;
	notes->ran = now.ran;
	return false;
}

void vmsi_granted_check(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_pendings *pending = &process->account.pending;

	for (size_t i = pending->count; i-- > 0;)
		if (vmsi_account_is_unmade(&process->account, i) &&
		    is_made(process, &pending->list[i].effect))
			vmsi_account_confirm_at(&group->account,
						&process->account, i);
}
