/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_COLLECT_H
#define VMSI_STACKS_COLLECT_H

#include "stacks/stacks.h"

/*
 * Look at the clock, and go on with a pass of collecting, or begin one if it is time:
 * a small part of it, and only if nobody has the pool's lock.
 */
void vmsi_stacks_age(struct vms_stacks *stacks);

/* The number of a pool's first pass. */
#define VMSI_FIRST_PASS 2u

#endif
