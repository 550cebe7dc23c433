/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_ENTRY_H
#define VMSI_SPACE_ENTRY_H

#include <errno.h>
#include <stdbool.h>

#include "space/inside.h"

/* What every public call does on its way in and out; see entry.c. */

/* Lock a space for an operation. Returns 0, or -EINVAL for NULL. */
int vmsi_enter(struct vms_space *space);

/* Unlock; debug builds check the invariants first. */
void vmsi_leave(struct vms_space *space);

static inline bool vmsi_try_again(struct vms_space *space, long result,
				  struct vmsi_attempts *attempts)
{
	return result == -ENOMEM && vmsi_ask_for_room(space, attempts);
}

#endif
