/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MEMLOCK_H
#define VMSI_SPACE_MEMLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Whether memory is locked; see memlock.c. */

struct vms_space;

/*
 * Whether a mapping is locked at an address, as the host has it: mlockall and
 * munlockall, which are not of the space, change that unseen. What the map has
 * of a lock that is gone is set right, which can merge the mapping with others.
 */
bool vmsi_is_locked(struct vms_space *space, uintptr_t address);

#endif
