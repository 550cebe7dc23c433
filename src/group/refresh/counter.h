/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_COUNTER_H
#define VMSI_GROUP_REFRESH_COUNTER_H

#include <stddef.h>

#include "group/process/group.h"

/*
 * Processes that have one memory (vfork, CLONE_VM) would each count all of it.
 * So one of them counts it; the others point to that one by shares_with, and
 * have in their own accounts only what they were granted since the last look.
 */

/*
 * Find the process that counts the memory of a process, which most often is itself.
 * Where the kernel says that a process on the way has left the memory that another
 * one counts, by execve or because that one has ended, shares_with of it is cleared,
 * it is looked at, and it counts its own memory from now on.
 */
struct vmsi_process *vmsi_counter_update(struct vms_group *group,
				       struct vmsi_process *process);

/*
 * A process leaves a memory that another one counts: what it was granted there goes
 * to the count of that one.
 */
void vmsi_counter_leave(struct vms_group *group, struct vmsi_process *process);

/*
 * The process that counted a memory has left it. One of the others counts it
 * from now on, and is looked at.
 */
void vmsi_counter_reassign_memory(struct vms_group *group,
				  const struct vmsi_process *counter);

/* Returns how many bytes a fork of a process copies at most; updates counters. */
size_t vmsi_counter_copy(struct vms_group *group, struct vmsi_process *process);

#endif
