/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <stdlib.h>

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

void vmsi_granted_remember(struct vmsi_process *process,
			   const struct seccomp_notif *call, size_t bytes,
			   size_t moved, size_t copied)
{
	struct vmsi_granted *all =
		vmsi_with_room(process->granted, process->granted_count,
			       &process->granted_room, sizeof *all);

	if (!all)
		return;
	process->granted = all;
	all[process->granted_count++] = (struct vmsi_granted){
		.thread = (pid_t)call->pid, .number = call->data.nr,
		.bytes = bytes, .moved = moved,
		.longest = LONGER_THAN_A_CALL_NS + NS_TO_COPY(copied),
	};
}

static void remove_granted(struct vmsi_process *process, size_t i)
{
	process->granted[i] = process->granted[--process->granted_count];
}

void vmsi_granted_forget(struct vmsi_process *process, pid_t thread)
{
	for (size_t i = process->granted_count; i-- > 0;)
		if (process->granted[i].thread == thread)
			remove_granted(process, i);
}

/* Such as vfork, which waits for the child, and reads of a disk. */
static bool is_in_another_call(const struct vmsi_process *process,
			       const struct vmsi_granted *granted)
{
	int number = vmsi_proc_system_call(process->pid, granted->thread);

	return number >= 0 && number != granted->number;
}

static bool is_made(const struct vmsi_process *process,
		    struct vmsi_granted *granted)
{
	struct vmsi_proc_running now;

	if (!vmsi_proc_read_running(process->pid, granted->thread, &now))
		return true;
	/* A call that is not charged yet waits for nothing but a lock: D. */
	if (now.state != 'R' && now.state != 'D')
		return true;
	if (now.state == 'D' && is_in_another_call(process, granted))
		return true;
	if (granted->doubted)
		return now.ran > granted->ran + granted->longest;
	granted->doubted = true;
	granted->ran = now.ran;
	return false;
}

size_t vmsi_granted_check(struct vmsi_process *process)
{
	size_t bytes = 0;

	for (size_t i = process->granted_count; i-- > 0;)
		if (is_made(process, &process->granted[i]))
			remove_granted(process, i);
		else
			bytes += process->granted[i].bytes;
	return bytes;
}

size_t vmsi_granted_moving(const struct vmsi_process *process)
{
	size_t bytes = 0;

	for (size_t i = 0; i < process->granted_count; i++)
		bytes += process->granted[i].moved;
	return bytes;
}

bool vmsi_granted_has(const struct vmsi_process *process, pid_t thread)
{
	for (size_t i = 0; i < process->granted_count; i++)
		if (process->granted[i].thread == thread)
			return true;
	return false;
}

bool vmsi_granted_has_loose(const struct vmsi_process *process)
{
	for (size_t i = 0; i < process->granted_count; i++)
		if (process->granted[i].bytes == 0 &&
		    process->granted[i].moved == 0)
			return true;
	return false;
}
