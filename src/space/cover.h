/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_COVER_H
#define VMSI_SPACE_COVER_H

#include "base/align.h"

/* The reservation, as the host has it; see cover.c. */

struct vms_space;

/*
 * What the reservation is made of. MAP_STACK, which makes it MADV_NOHUGEPAGE
 * from Linux 6.7 on, keeps the host from merging it with a program's own
 * PROT_NONE, MAP_NORESERVE memory: what such memory has been (touched, so
 * dumped with a core) would become true of the whole reservation.
 */
#define VMSI_RESERVATION (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK)

enum vmsi_warmth { VMSI_COLD, VMSI_WARM };

/*
 * Put the reservation over a range, in the place of what the host has there.
 * Returns 0 or -errno.
 */
int vmsi_cover(const struct vms_space *space, struct vmsi_range range,
	       enum vmsi_warmth warmth);

/* What to do with each part of a range of which only the free parts are covered. */
struct vmsi_cover_visit {
	/* The host had it free, and it is covered now. */
	void (*covered)(struct vms_space *space, struct vmsi_range part);
	/* The host has something there. */
	void (*taken)(struct vms_space *space, struct vmsi_range part);
	/* The host refused for another reason. */
	void (*refused)(struct vms_space *space, struct vmsi_range part);
};

/* Cover what the host has free of a range, found by halving where it is mixed. */
void vmsi_cover_parts(struct vms_space *space, struct vmsi_range range,
		      const struct vmsi_cover_visit *visit);

#endif
