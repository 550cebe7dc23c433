/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_REGISTRY_H
#define VMSI_SPACE_REGISTRY_H

#include "base/lock.h"

struct vms_space;

/* The list of all spaces, and its lock. */
extern struct vmsi_lock vmsi_registry_lock;
extern struct vms_space *vmsi_registry;

void vmsi_registry_add(struct vms_space *space);
void vmsi_registry_remove(struct vms_space *space);

/*
 * From now on others are told of spaces only where VMSPACE_NAMES=on asks for it. For
 * libraries that are loaded into programs that know nothing of them.
 */
void vmsi_registry_wait_for_wish(void);

#endif
