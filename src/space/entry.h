/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_ENTRY_H
#define VMSI_SPACE_ENTRY_H

#include <errno.h>
#include <stdbool.h>

#include "space/inside.h"

/* What every public call on a space does first and last; see entry.c. */

/* Lock a space for an operation. Returns 0, or -EINVAL for NULL. */
int vmsi_enter(struct vms_space *space);

/* Unlock it. Debug builds check its invariants first. */
void vmsi_leave(struct vms_space *space);

#endif
