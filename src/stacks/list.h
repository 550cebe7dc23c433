/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_LIST_H
#define VMSI_STACKS_LIST_H

#include "stacks/stacks.h"

/*
 * The list of free slots, last in, first out, without a lock: a thread that is stopped
 * anywhere keeps nobody waiting, and a child of fork(2) finds it whole.
 */

/*
 * Put slots in, from first to last, which are linked already. Returns the count of
 * changes that the list has seen.
 */
uint64_t vmsi_list_push(struct vms_stacks *stacks, size_t first, size_t last);

/* Take the slot out that was put in last; false: there is none. */
bool vmsi_list_pop(struct vms_stacks *stacks, size_t *number);

#ifdef VMSI_DEBUG
/* Panic where the list is not sound. Nobody else may use the pool. */
void vmsi_list_check(struct vms_stacks *stacks);
#endif

#endif
