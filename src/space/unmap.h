/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_UNMAP_H
#define VMSI_SPACE_UNMAP_H

#include "base/align.h"

struct vms_space;

/* munmap with the space's lock held. Returns 0, or -errno with its reason. */
int vmsi_unmap(struct vms_space *space, struct vmsi_range range);

#endif
