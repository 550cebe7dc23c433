/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_set_name. */

/* What PR_SET_VMA_ANON_NAME takes: printable, and none of []\$`. */
static bool name_is_good(const char *name)
{
	size_t length = 0;

	for (; *name; name++, length++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x20 || c > 0x7e || strchr("[]\\$`", c))
			return false;
	}
	return length <= VMS_NAME_MAX;
}

static void change_name(struct vmsi_mapping *piece, void *context)
{
	piece->attributes.name = context;
}

/*
 * The host's names are for readers of /proc. Older kernels refuse them; the
 * listing of the space has the name all the same.
 */
static int tell_host(struct vms_space *space, struct vmsi_range range,
		     const char *text)
{
	vmsi_for_each(space, mapping, range) {
		struct vmsi_range piece = vmsi_piece(mapping, range);
		long error;

		if (!vmsi_has(&mapping->attributes, VMSI_ANONYMOUS))
			continue;
		error = vmsi_host.name_memory(piece.start,
					      vmsi_range_length(piece), text);
		if (error == -ENOMEM)
			return (int)error;
	}
	return 0;
}

static int set_name(struct vms_space *space, struct vmsi_range range,
		    const char *text)
{
	struct vmsi_name *name = NULL;
	int error;

	if (vmsi_run_end(space, range.start, range.end) < range.end)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	error = vmsi_reserve_records(space);
	if (error)
		return error;
	if (text && *text) {
		name = vmsi_name_intern(space, text);
		if (!name)
			return vmsi_refuse_records(space);
	}
	vmsi_learn_touched(space, range, VMSI_LEARN_SPLIT);
	error = tell_host(space, range, name ? name->text : NULL);
	if (!error)
		vmsi_change(space, range, change_name, name);
	if (name)
		vmsi_name_drop(space, name);
	return vmsi_refused_by_host(space, error);
}

int vms_set_name(vms_space *space, void *address, size_t length,
		 const char *name)
{
	uintptr_t start = (uintptr_t)address;
	struct vmsi_range range;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	if (!vmsi_is_aligned(start, vmsi_page_size()) ||
	    (name && !name_is_good(name)))
		error = -EINVAL;
	else if (!vmsi_page_range(start, length, &range))
		error = vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	else if (range.start < range.end)
		error = set_name(space, range, name);
	vmsi_leave(space);
	return vmsi_status(error);
}
