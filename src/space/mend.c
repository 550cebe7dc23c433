/* SPDX-License-Identifier: MIT */
#include "host/host.h"
#include "space/mend.h"
#include "space/records.h"
#include "space/space.h"

/*
 * A call of the host that fails may have unmapped its target. Any thread can
 * map there then. What is free is covered again and taken out of the map.
 */

static void forget_part(struct vms_space *space, struct vmsi_range part)
{
	if (vmsi_map_reserve(&space->map, VMSI_MAP_RECORDS))
		return;
	vmsi_forget(space, part);
	/* vmsi_forget keeps records of foreign memory; there is none here. */
	vmsi_map_erase(&space->map, part);
}

static void leave_part(struct vms_space *space, struct vmsi_range part)
{
	(void)space;
	(void)part;
}

void vmsi_mend(struct vms_space *space, struct vmsi_range range)
{
	static const struct vmsi_cover_visit visit = {
		forget_part, leave_part, vmsi_uncovered_note
	};
	int mapped = vmsi_host_is_mapped(range);

	if (mapped == 0)
		vmsi_cover_parts(space, range, &visit);
	else if (mapped < 0)
		vmsi_uncovered_note(space, range);
}

bool vmsi_mend_for_retry(struct vms_space *space, struct vmsi_range range)
{
	int mapped = vmsi_host_is_mapped(range);

	if (mapped == 0) {
		/* The call had unmapped all, so what is there is of others. */
		vmsi_forget(space, range);
		vmsi_cover_free(space, range);
	}
	return mapped >= 0 && vmsi_may_replace(space, range);
}
