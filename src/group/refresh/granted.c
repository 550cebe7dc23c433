/* SPDX-License-Identifier: MIT */
#include "group/refresh/granted.h"

#include <time.h>

#include "group/process/proc.h"

/*
 * A call that was let through may not have been made yet when the kernel's
 * figures are read, so it counts on top of them. Its thread has made it when
 * the thread asks again, has ended, has stopped or sleeps, or has run for
 * longer than any call does before it is charged. Time on the wall is no proof:
 * a thread may wait long for a processor.
 */

/*
 * No call takes a tenth of this. But where the host of a virtual machine takes
 * a processor away, that time counts as the thread's.
 */
#define LONGER_THAN_A_CALL_NS (20ull * 1000 * 1000)

/* A fork copies a GiB of small pages in 80 ms, or in several times that. */
#define NS_TO_COPY(bytes) ((uint64_t)(bytes) / 2)

/* The longest wait for calls to be made, in steps. */
#define WAIT_STEP_NS (500l * 1000)
#define WAIT_STEPS 1000

struct vmsi_call_notes vmsi_granted_notes(int number, size_t copied)
{
	return (struct vmsi_call_notes){
		.number = number,
		.longest = LONGER_THAN_A_CALL_NS + NS_TO_COPY(copied),
	};
}

/*
 * Whether a thread that sleeps in D is in a later call than the one granted: it
 * waits for the child of a vfork, for example, or reads a disk.
 */
static bool is_in_another_call(const struct vmsi_process *process,
			       const struct vmsi_effect *granted)
{
	const int number = vmsi_proc_system_call(process->pid, granted->thread);

	return number >= 0 && number != granted->notes.number;
}

/*
 * Whether a granted call was made. If nothing tells, how long its thread has run
 * by now is noted, and the next check compares with that.
 */
static bool check(const struct vmsi_process *process,
		  struct vmsi_effect *granted)
{
	struct vmsi_call_notes *notes = &granted->notes;
	struct vmsi_proc_running now;

	if (!vmsi_proc_read_running(process->pid, granted->thread, &now))
		return true;
	/* A call that is not charged yet can wait only for a lock: D. */
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
		if (vmsi_pending_is_under_way(&pending->list[i]) &&
		    check(process, &pending->list[i].effect))
			vmsi_account_confirm_at(&group->account,
						&process->account, i);
}

bool vmsi_granted_check_all(struct vms_group *group)
{
	struct vmsi_process *process = NULL;

	while ((process = vmsi_process_next(group, process))) {
		vmsi_granted_check(group, process);
		if (vmsi_account_has_unmade(&process->account))
			return true;
	}
	return false;
}

void vmsi_granted_wait(struct vms_group *group)
{
	const struct timespec step = { 0, WAIT_STEP_NS };

	for (int i = 0; i < WAIT_STEPS && vmsi_granted_check_all(group); i++)
		nanosleep(&step, NULL);
}
