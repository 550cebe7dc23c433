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
 * The process that counts the memory of a process: most often itself. Where it
 * has left a memory that another one counts, by execve or because that one has
 * ended, it is looked at and counts its own from now on.
 */
struct vmsi_process *vmsi_counter_find(struct vms_group *group,
				       struct vmsi_process *process);

/*
 * A process leaves a shared memory: what it was granted stays with the memory.
 */
void vmsi_counter_leave(struct vms_group *group, struct vmsi_process *process);

/*
 * The process that counted a memory has left it. One of the others counts it
 * from now on, and is looked at.
 */
void vmsi_counter_reassign_memory(struct vms_group *group,
				  const struct vmsi_process *counter);

/* Bytes that a fork of a process copies, at most. */
size_t vmsi_counter_copy(struct vms_group *group, struct vmsi_process *process);

#endif
