/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_RESERVATION_H
#define VMSI_SPACE_RESERVATION_H

#include <stdint.h>

#include "space/cover.h"

/* What is taken from the reservation, and what goes back to it. */

/*
 * Before an operation replaces what is in a range: close what is open in it, and
 * find out whether all of it is the space's. Returns 0, or -ENOMEM with its
 * reason.
 */
int vmsi_claim(struct vms_space *space, struct vmsi_range range);

/*
 * Put the reservation over a range in the place of what the host has there. The
 * map is not changed. *done is the end of what was given back, also on failure.
 * Returns 0 or -errno.
 */
int vmsi_give_back(struct vms_space *space, struct vmsi_range range,
		   enum vmsi_warmth warmth, uintptr_t *done);

/*
 * The same for what is out of the map already; what the host refuses is noted as
 * a leftover, and tried again later. Needs vmsi_reserve_records.
 */
void vmsi_give_back_or_leave(struct vms_space *space, struct vmsi_range range);

/* Try to get uncovered addresses back. */
void vmsi_recover(struct vms_space *space);

#endif
