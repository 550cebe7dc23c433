/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MEND_H
#define VMSI_SPACE_MEND_H

#include <stdbool.h>

#include "base/align.h"

/* What is done after a call of the host has failed; see mend.c. */

struct vms_space;

/*
 * Find out whether a failed call of the host has unmapped parts of its target,
 * range; cover them and take them out of the map. No gap may be open there.
 */
void vmsi_mend(struct vms_space *space, struct vmsi_range range);

/*
 * The same for a call that unmaps all of its target or nothing, before it is
 * made in another way. Returns false if the target cannot be used again,
 * because it has foreign memory or the host does not tell. Needs
 * vmsi_reserve_records.
 */
bool vmsi_mend_for_retry(struct vms_space *space, struct vmsi_range range);

#endif
