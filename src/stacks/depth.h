/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_DEPTH_H
#define VMSI_STACKS_DEPTH_H

#include "stacks/stacks.h"

/* Write zeroes over what was used of a stack that nobody uses. */
void vmsi_stack_clear(struct vms_stacks *stacks, size_t number);

#endif
