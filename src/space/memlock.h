/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MEMLOCK_H
#define VMSI_SPACE_MEMLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Whether memory is locked; see memlock.c. */

struct vms_space;

/*
 * Ask the host whether the mapping at an address is locked: mlockall and
 * munlockall change that without a call of the space. If it is not, the
 * mapping's flags are corrected, which can merge it with its neighbours.
 */
bool vmsi_learn_locked(struct vms_space *space, uintptr_t address);

#endif
