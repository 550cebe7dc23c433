/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <vmspace/list.h>

#include "base/versioned.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/space.h"
#include "space/walk.h"

/* The listing of a space, from its own map. */

static const struct {
	uint32_t flag;
	unsigned shown;
} shown_flags[] = {
	{ VMSI_SHARED, VMS_MAPPING_SHARED },
	{ VMSI_ANONYMOUS, VMS_MAPPING_ANONYMOUS },
	{ VMSI_NORESERVE, VMS_MAPPING_NORESERVE },
	{ VMSI_LOCKED, VMS_MAPPING_LOCKED },
	{ VMSI_GROWSDOWN, VMS_MAPPING_GROWSDOWN },
	{ VMSI_HUGETLB, VMS_MAPPING_HUGETLB },
	{ VMSI_HUGE_FALLBACK, VMS_MAPPING_HUGE_FALLBACK },
	{ VMSI_SEALED, VMS_MAPPING_SEALED },
	{ VMSI_DONTFORK, VMS_MAPPING_DONTFORK },
	{ VMSI_WIPEONFORK, VMS_MAPPING_WIPEONFORK },
	{ VMSI_DONTDUMP, VMS_MAPPING_DONTDUMP },
	{ VMSI_MERGEABLE, VMS_MAPPING_MERGEABLE },
	{ VMSI_HUGEPAGE, VMS_MAPPING_HUGEPAGE },
	{ VMSI_NOHUGEPAGE, VMS_MAPPING_NOHUGEPAGE },
};

static unsigned flags_shown(uint32_t flags)
{
	unsigned shown = 0;

	for (size_t i = 0; i < sizeof(shown_flags) / sizeof(*shown_flags); i++)
		if (flags & shown_flags[i].flag)
			shown |= shown_flags[i].shown;
	return shown;
}

/* Whether no mapping of the same object comes before this one. */
static bool is_first_of_object(const struct vms_space *space,
			       const struct vmsi_mapping *mapping)
{
	const struct vmsi_object *object = mapping->attributes.object;
	size_t length = vmsi_range_length(vmsi_mapping_range(mapping));

	if (object->mapped == length)
		return true;
	vmsi_for_each(space, earlier, space->range) {
		if (earlier == mapping)
			return true;
		if (earlier->attributes.object == object)
			return false;
	}
	return true;
}

static size_t committed(const struct vms_space *space,
			const struct vmsi_mapping *mapping)
{
	const struct vmsi_object *object = mapping->attributes.object;

	if (vmsi_has(&mapping->attributes, VMSI_ACCOUNTED))
		return vmsi_range_length(vmsi_mapping_range(mapping));
	if (object && object->charged && is_first_of_object(space, mapping))
		return object->charged;
	return 0;
}

static void fill(const struct vms_space *space,
		 const struct vmsi_mapping *mapping,
		 struct vms_mapping_info *info)
{
	const struct vmsi_attributes *attributes = &mapping->attributes;
	const struct vmsi_object *object = attributes->object;

	info->start = mapping->start;
	info->length = vmsi_range_length(vmsi_mapping_range(mapping));
	info->prot = (int)attributes->prot;
	info->flags = flags_shown(attributes->flags);
	info->page_size = (size_t)1 << attributes->page_shift;
	info->device = object ? object->device : 0;
	info->inode = object ? object->inode : 0;
	info->offset = mapping->offset;
	info->committed = committed(space, mapping);
	info->resident = VMS_NOT_COUNTED;
	info->name[0] = '\0';
	info->path[0] = '\0';
	if (attributes->name)
		memcpy(info->name, attributes->name->text, sizeof(info->name));
	if (object && object->path)
		memcpy(info->path, object->path, strlen(object->path) + 1);
}

static int next_mapping(struct vms_space *space, uintptr_t *cursor,
			struct vms_mapping_info *info, unsigned flags)
{
	struct vmsi_range rest = { vmsi_max(*cursor, space->range.start),
				   space->range.end };
	struct vmsi_mapping *mapping;

	if (rest.start >= rest.end)
		return 0;
	mapping = vmsi_first(space, rest);
	/*
	 * A mapping that begins before the cursor has grown downwards, or
	 * merged with its neighbour, since it was listed.
	 */
	while (mapping && *cursor && mapping->start < *cursor)
		mapping = vmsi_following(mapping, rest);
	if (!mapping)
		return 0;
	fill(space, mapping, info);
	if (flags & VMS_LIST_RESIDENT) {
		int error = vmsi_host_resident(vmsi_mapping_range(mapping),
					       &info->resident);

		if (error)
			return error;
	}
	*cursor = mapping->end;
	return 1;
}

size_t vmsi_length_in_mapping(struct vms_space *space, uintptr_t address,
			      size_t length)
{
	struct vmsi_mapping *mapping;

	if (vmsi_enter(space))
		return length;
	mapping = vmsi_lookup(space, address);
	if (mapping)
		length = vmsi_min(length, mapping->end - address);
	vmsi_leave(space);
	return length;
}

bool vmsi_has_mapping(struct vms_space *space, uintptr_t address)
{
	bool found;

	if (vmsi_enter(space))
		return false;
	found = vmsi_lookup(space, address) != NULL;
	vmsi_leave(space);
	return found;
}

bool vmsi_is_mapped(struct vms_space *space, struct vmsi_range range)
{
	bool mapped;

	if (vmsi_enter(space) != 0)
		return false;
	mapped = vmsi_run_end(space, range.start, range.end) == range.end;
	vmsi_leave(space);
	return mapped;
}

int vms_space_next_mapping(vms_space *space, uintptr_t *cursor,
			   struct vms_mapping_info *info, unsigned flags)
{
	struct vms_mapping_info known = { 0 };
	int result;

	if (!cursor || !info || (flags & ~VMS_LIST_RESIDENT))
		return vmsi_status(-EINVAL);
	result = vmsi_check_struct_size(info->struct_size,
					VMSI_FIRST_MAPPING_INFO);
	if (!result)
		result = vmsi_enter(space);
	if (result)
		return vmsi_status(result);
	result = next_mapping(space, cursor, &known, flags);
	vmsi_leave(space);
	if (result > 0)
		vmsi_give_figures(info, &known, sizeof(known));
	return result < 0 ? vmsi_status(result) : result;
}
