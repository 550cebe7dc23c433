/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CONFORMANCE_BORDER_H
#define VMSI_CONFORMANCE_BORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#include "base/align.h"

/*
 * Moves across the border of a space: a program that knows nothing of spaces may
 * mremap memory of the space to a place outside of it, and the other way. The
 * public calls move memory inside a space only. Arguments, checks and results
 * are mremap(2)'s: the address or -errno.
 */

/* The source lies in the space, the target (fixed, or a hint) outside. */
long vmsi_border_move_out(struct vms_space *space, uintptr_t old,
			 size_t old_length, size_t new_length, int flags,
			 uintptr_t new_address);

/* The source lies outside, the target, which is fixed, in the space. */
long vmsi_border_move_in(struct vms_space *space, uintptr_t old,
			size_t old_length, size_t new_length, int flags,
			uintptr_t new_address);

/* Whether any mapping in a range of a space is sealed. */
bool vmsi_border_is_sealed(struct vms_space *space, struct vmsi_range range);

#endif
