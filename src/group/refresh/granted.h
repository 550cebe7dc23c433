/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_GRANTED_H
#define VMSI_GROUP_REFRESH_GRANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "group/process/group.h"

/*
 * The notes by which it will be told whether a system call, by its number, was
 * made. A fork copies bytes, and so may run for longer; others copy 0.
 */
struct vmsi_call_notes vmsi_granted_notes(int number, size_t copied);

/* Confirm what has been made of all that a process was granted. */
void vmsi_granted_check(struct vms_group *group, struct vmsi_process *process);

/*
 * Likewise of one process after the other, up to the first that has anything
 * that may not have been made yet. Returns whether there is one.
 */
bool vmsi_granted_check_all(struct vms_group *group);

/* Wait until all that was granted has been made; half a second at most. */
void vmsi_granted_wait(struct vms_group *group);

#endif
