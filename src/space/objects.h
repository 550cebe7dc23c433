/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_OBJECTS_H
#define VMSI_SPACE_OBJECTS_H

#include "space/state.h"

/* Begin and end the pools that objects, names and paths come from. */
void vmsi_objects_init(struct vms_space *space, struct vmsi_pool_source source);
void vmsi_objects_release(struct vms_space *space);

#endif
