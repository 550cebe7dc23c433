/* SPDX-License-Identifier: MIT */
#include "ring/options.h"

#include <errno.h>
#include <stdbool.h>

#include "base/versioned.h"
#include "ring/layout.h"

#define KNOWN_FLAGS \
	(VMS_RING_PRODUCER | VMS_RING_CONSUMER | VMS_RING_EVENT | \
	 VMS_RING_FROM_OLDEST | VMS_RING_UNSEALED | VMS_RING_EVENT_FD)
#define EVENT_FLAGS (VMS_RING_EVENT | VMS_RING_EVENT_FD)
#define MODE_BITS 07777u
#define DEFAULT_ALIGNMENT 64u
#define LEAST_ALIGNMENT 8u

static bool is_alignment(unsigned alignment)
{
	return alignment >= LEAST_ALIGNMENT && alignment <= VMSI_RING_ALIGNMENT_MOST &&
		(alignment & (alignment - 1)) == 0;
}

static bool are_good(const struct vms_ring_options *options,
		     enum vmsi_ring_opening opening)
{
	if (options->flags & ~KNOWN_FLAGS)
		return false;
	if (options->mode &&
	    (opening != VMSI_RING_CREATES_FILE || (options->mode & ~MODE_BITS)))
		return false;
	if ((options->flags & EVENT_FLAGS) == EVENT_FLAGS)
		return false;
	if (opening == VMSI_RING_ATTACHES)
		return options->alignment == 0;
	return !(options->flags & VMS_RING_UNSEALED) &&
		(options->alignment == 0 || is_alignment(options->alignment));
}

int vmsi_ring_options(struct vms_ring_options *known,
		      const struct vms_ring_options *options,
		      enum vmsi_ring_opening opening)
{
	int error;

	*known = (struct vms_ring_options){ .struct_size = sizeof(*known) };
	if (options) {
		error = vmsi_take_options(known, sizeof(*known),
					  VMSI_FIRST_RING_OPTIONS, options);
		if (error)
			return error;
	}
	if (!are_good(known, opening))
		return -EINVAL;
	if (!known->alignment)
		known->alignment = DEFAULT_ALIGNMENT;
	return 0;
}
