/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_OPTIONS_H
#define VMSI_RING_OPTIONS_H

#include <vmspace/ring.h>

/* What options are for. */
enum vmsi_ring_opening {
	VMSI_RING_CREATES,       /* memory without a name */
	VMSI_RING_CREATES_FILE,
	VMSI_RING_ATTACHES,
};

/* Take and check options; NULL: the defaults. Returns 0, -EINVAL or -E2BIG. */
int vmsi_ring_options(struct vms_ring_options *known,
		      const struct vms_ring_options *options,
		      enum vmsi_ring_opening opening);

#endif
