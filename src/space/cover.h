/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_COVER_H
#define VMSI_SPACE_COVER_H

#include "base/align.h"

/* The reservation, as the host has it; see cover.c. */

struct vms_space;

/*
 * The flags of the reservation. MAP_STACK makes it MADV_NOHUGEPAGE from Linux
 * 6.7 on, so that the host does not merge it with a program's own PROT_NONE,
 * MAP_NORESERVE memory: if that was touched, a core dump would walk all of it.
 */
#define VMSI_RESERVATION (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK)

enum vmsi_warmth { VMSI_COLD, VMSI_WARM };

/*
 * Replace what the host has in a range by the reservation. A warm hole (warm.h)
 * stays a mapping of its own to the host. Returns 0 or -errno.
 */
int vmsi_cover(const struct vms_space *space, struct vmsi_range range,
	       enum vmsi_warmth warmth);

/* What vmsi_cover_parts calls for each part of a range. */
struct vmsi_cover_visit {
	/* The host had nothing there, and the part is covered now. */
	void (*covered)(struct vms_space *space, struct vmsi_range part);
	/* The host has memory there, which was left alone. */
	void (*taken)(struct vms_space *space, struct vmsi_range part);
	/* The host refused for another reason. */
	void (*refused)(struct vms_space *space, struct vmsi_range part);
};

/*
 * Cover the parts of a range that the host has free, and leave the others
 * alone. It halves a range that has both.
 */
void vmsi_cover_parts(struct vms_space *space, struct vmsi_range range,
		      const struct vmsi_cover_visit *visit);

#endif
