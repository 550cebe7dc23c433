/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MEND_H
#define VMSI_SPACE_MEND_H

#include <stdbool.h>

#include "base/align.h"

/* What a call of the host has left behind that failed; see mend.c. */

struct vms_space;

/*
 * After a failed call of the host that may have destroyed its target: find out,
 * cover what is free, and take it out of the map. No gap may be open there.
 */
void vmsi_mend(struct vms_space *space, struct vmsi_range range);

/*
 * After such a failure of a call that unmaps all of its target or nothing, and
 * before it is tried in another way: cover the target again and take it out of
 * the map. false: others are there, or the host does not tell. Needs
 * vmsi_reserve_records.
 */
bool vmsi_mend_for_retry(struct vms_space *space, struct vmsi_range range);

#endif
