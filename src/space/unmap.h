/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_UNMAP_H
#define VMSI_SPACE_UNMAP_H

#include "base/align.h"

/* munmap inside the room; see unmap.c. */

struct vms_space;

/* Unmap a range as munmap does. Returns 0 or -errno with its reason. */
int vmsi_unmap(struct vms_space *space, struct vmsi_range range);

#endif
