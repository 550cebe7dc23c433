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

/*
 * Whether to make a call that left with result again, because somebody has
 * given memory back. *attempts is zero at first.
 */
static inline bool vmsi_try_again(struct vms_space *space, long result,
				  struct vmsi_attempts *attempts)
{
	return result == -ENOMEM && vmsi_ask_to_give_back(space, attempts);
}

#endif
