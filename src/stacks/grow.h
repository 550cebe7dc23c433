/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_GROW_H
#define VMSI_STACKS_GROW_H

#include "stacks/stacks.h"

/*
 * Make some slots more: the caller gets the first, in state FREE and in no list; the
 * others are put into the list. Returns 0, -EAGAIN where all are made and none is in
 * the list, or -errno. -ENOMEM is final only after vmsi_ask_to_give_back. The caller
 * holds the pool's lock.
 */
int vmsi_stacks_grow(struct vms_stacks *stacks, size_t *number);

#endif
