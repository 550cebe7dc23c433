/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_RESERVATION_H
#define VMSI_SPACE_RESERVATION_H

#include <stdint.h>

#include "space/cover.h"

/* Taking addresses and giving them back; see reservation.c. */

/*
 * Before an operation maps over a range: close the open gaps in it, and refuse
 * if any of it is foreign. Returns 0, or -ENOMEM with its reason.
 */
int vmsi_claim(struct vms_space *space, struct vmsi_range range);

/*
 * Cover a range with the reservation, but for foreign memory in it. The map is
 * not changed. *done is the end of what was covered, also on failure. Returns 0
 * or -errno.
 */
int vmsi_give_back(struct vms_space *space, struct vmsi_range range,
		   enum vmsi_warmth warmth, uintptr_t *done);

/*
 * The same after the range was taken out of the map. What the host refuses
 * becomes a leftover, and is tried again later. Needs vmsi_reserve_records.
 */
void vmsi_give_back_or_leave(struct vms_space *space, struct vmsi_range range);

/* Try to cover all uncovered addresses (uncovered.h). */
void vmsi_recover(struct vms_space *space);

#endif
