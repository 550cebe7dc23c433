/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_GAP_H
#define VMSI_SPACE_GAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "host/host.h"

/*
 * Open gaps behind mappings that vms_mremap makes longer; see gap.c. Those
 * below MAP_GROWSDOWN mappings are in stack.h.
 */

struct vms_space;

/*
 * The host has nothing at the addresses in open, so that mremap can grow the
 * mapping into them. The sentinel keeps others from mapping there.
 *
 *     | mapping |    open    |    sentinel    |  reservation
 *          open.start     open.end       sentinel_end
 */
struct vmsi_gap {
	struct vmsi_range open;
	uintptr_t sentinel_end;
	size_t opened;           /* bytes ever open; the ballast's length */
	uintptr_t ballast;       /* its address; no ballast if opened is 0 */
};

#define VMSI_GAPS 8

struct vmsi_gaps {
	struct vmsi_gap all[VMSI_GAPS]; /* the oldest first */
	unsigned count;
	bool forbidden;          /* the space has had MAP_GROWSDOWN mappings */
};

/*
 * The guard gap: the bytes that the host keeps free below a MAP_GROWSDOWN
 * mapping (the kernel's stack_guard_gap).
 */
static inline size_t vmsi_guard_gap(void)
{
	return 256 * vmsi_page_size();
}

/*
 * Open a gap behind the mapping that ends at end, if one of step bytes, by
 * which the mapping grows, can be had.
 */
void vmsi_gap_open(struct vms_space *space, uintptr_t end, size_t step);

/*
 * Open the gap before an extension further, if it ends too early. Returns
 * whether all of the extension is open now.
 */
bool vmsi_gap_stretch(struct vms_space *space, struct vmsi_range extension);

/*
 * Have the host grow a mapping by an extension that vmsi_gap_stretch has
 * opened. The host looks at all limits itself. Returns 0 or -errno.
 */
int vmsi_gap_extend(struct vms_space *space, struct vmsi_range extension);

/* Close the gaps into which others have mapped, with MAP_FIXED_NOREPLACE. */
void vmsi_gaps_check(struct vms_space *space);

/* Close the gaps that reach into a range. */
void vmsi_gaps_close(struct vms_space *space, struct vmsi_range range);

/* Close all gaps, and open none any more. */
void vmsi_gaps_forbid(struct vms_space *space);

#endif
