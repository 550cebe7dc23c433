/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_FORK_H
#define VMSI_STACKS_FORK_H

#include "stacks/stacks.h"

/* All pools of the process, for fork(2) and for the handler of SIGSEGV. */

/* Make a pool known, without memory as yet. Returns 0 or -ENOMEM. */
int vmsi_stacks_register(struct vms_stacks *stacks);

/*
 * Make known where its memory lies, and that it will not lie there any more: these
 * cannot fail.
 */
void vmsi_stacks_show(struct vms_stacks *stacks);
void vmsi_stacks_hide(struct vms_stacks *stacks);
void vmsi_stacks_unregister(struct vms_stacks *stacks);

/*
 * Give a stack back of the pool that has this id; where none has, it is gone with its
 * pool. Returns 0 or -1 with errno, as vms_stacks_give.
 */
int vmsi_stacks_give_to(uint64_t id, const vms_stack *stack);

/*
 * The pool whose memory holds an address; NULL: none does. Called in a signal handler:
 * it takes no lock, and reads nothing that is ever unmapped.
 */
struct vms_stacks *vmsi_stacks_of(uintptr_t address);

#endif
