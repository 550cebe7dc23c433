/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_GAP_H
#define VMSI_SPACE_GAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "host/host.h"

/* Open gaps behind mappings that grow; see gap.c. */

struct vms_space;

/*
 * Addresses behind a growing mapping that the host has free, and the memory that
 * keeps the host's own search away from them:
 *
 *     | mapping |    open    |    sentinel    |  reservation
 *          open.start     open.end       sentinel_end
 */
struct vmsi_gap {
	struct vmsi_range open;
	uintptr_t sentinel_end;
	size_t opened;           /* bytes that ever were open; the ballast's length */
	uintptr_t ballast;       /* its address; nothing where opened is 0 */
};

#define VMSI_GAPS 8

struct vmsi_gaps {
	struct vmsi_gap all[VMSI_GAPS]; /* the oldest first */
	unsigned count;
	bool forbidden;          /* the space has mappings that grow down */
};

/*
 * The bytes that the host keeps free below a MAP_GROWSDOWN mapping (the kernel's
 * stack_guard_gap).
 */
static inline size_t vmsi_guard_gap(void)
{
	return 256 * vmsi_page_size();
}

/* Open a gap behind a mapping that ends here and that grows by such steps. */
void vmsi_gap_open(struct vms_space *space, uintptr_t end, size_t step);

/* Whether an extension lies in an open gap behind its mapping; may open more. */
bool vmsi_gap_holds(struct vms_space *space, struct vmsi_range extension);

/*
 * Let the host grow the mapping before an extension that a gap holds. The host
 * looks at all limits. Returns 0 or -errno.
 */
int vmsi_gap_extend(struct vms_space *space, struct vmsi_range extension);

/* Find what others have put into gaps by MAP_FIXED_NOREPLACE. */
void vmsi_gaps_check(struct vms_space *space);

/* Close the gaps that reach into a range. */
void vmsi_gaps_close(struct vms_space *space, struct vmsi_range range);

/* Close all gaps, and open none any more. */
void vmsi_gaps_forbid(struct vms_space *space);

#endif
