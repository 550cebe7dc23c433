/* SPDX-License-Identifier: MIT */
#include "space/space.h"
#include "space/walk.h"

/*
 * Some addresses of a space are neither mapped nor covered by the reservation.
 * They have a record in the map, so that no mapping is placed there:
 *
 * - foreign: another part of the process mapped them while the host had them
 *   free. The space leaves them alone until they are free again.
 * - leftover: the host refused to replace memory of the space that is unmapped.
 */

void vmsi_uncovered_note(struct vms_space *space, struct vmsi_range range)
{
	struct vmsi_uncovered *uncovered = &space->uncovered;
	struct vmsi_range *last = &uncovered->hulls[VMSI_UNCOVERED_HULLS - 1];

	if (uncovered->count < VMSI_UNCOVERED_HULLS) {
		uncovered->hulls[uncovered->count++] = range;
		return;
	}
	last->start = vmsi_min(last->start, range.start);
	last->end = vmsi_max(last->end, range.end);
}

static void mark(struct vms_space *space, struct vmsi_range range,
		 uint32_t kind)
{
	struct vmsi_attributes attributes = { .flags = kind };

	vmsi_map_insert(&space->map, range, 0, &attributes);
	vmsi_uncovered_note(space, range);
}

static void mark_foreign(struct vms_space *space, struct vmsi_range range)
{
	/*
	 * Neighbours merge, so the operation has reserved enough records unless
	 * foreign memory is very scattered. A part without a record is left
	 * alone for ever.
	 */
	if (vmsi_map_reserve(&space->map, 1) == 0)
		mark(space, range, VMSI_FOREIGN);
}

static void ignore_part(struct vms_space *space, struct vmsi_range range)
{
	(void)space;
	(void)range;
}

void vmsi_cover_free(struct vms_space *space, struct vmsi_range range)
{
	static const struct vmsi_cover_visit visit = {
		ignore_part, mark_foreign, mark_foreign
	};

	if (range.start >= range.end)
		return;
	vmsi_cover_parts(space, range, &visit);
}

void vmsi_cover_holes(struct vms_space *space, struct vmsi_range range)
{
	uintptr_t at = range.start;

	while (at < range.end) {
		struct vmsi_mapping *mapping = vmsi_map_find(&space->map, at);
		struct vmsi_range hole = { at, range.end };

		if (mapping && mapping->start < range.end)
			hole.end = vmsi_max(at, mapping->start);
		if (hole.start < hole.end)
			vmsi_cover_free(space, hole);
		at = mapping ? mapping->end : range.end;
	}
}

bool vmsi_may_replace(const struct vms_space *space, struct vmsi_range range)
{
	struct vmsi_mapping *mapping;

	if (space->uncovered.count == 0)
		return true;
	for (mapping = vmsi_map_find(&space->map, range.start);
	     mapping && mapping->start < range.end;
	     mapping = vmsi_map_next(mapping))
		if (vmsi_has(&mapping->attributes, VMSI_FOREIGN))
			return false;
	return true;
}

struct vmsi_range vmsi_next_ours(const struct vms_space *space,
				 struct vmsi_range range)
{
	struct vmsi_range part = range;
	struct vmsi_mapping *mapping;

	if (space->uncovered.count == 0)
		return part;
	for (mapping = vmsi_map_find(&space->map, range.start);
	     mapping && mapping->start < range.end;
	     mapping = vmsi_map_next(mapping)) {
		if (!vmsi_has(&mapping->attributes, VMSI_FOREIGN))
			continue;
		if (mapping->start > part.start) {
			part.end = mapping->start;
			return part;
		}
		part.start = vmsi_min(mapping->end, range.end);
	}
	return part;
}

void vmsi_cover_or_leave(struct vms_space *space, struct vmsi_range range)
{
	while (range.start < range.end) {
		struct vmsi_range part = vmsi_next_ours(space, range);
		int error;

		range.start = part.end;
		if (part.start == part.end)
			continue;
		error = vmsi_cover(space, part, VMSI_COLD);
		/* The host may have refused for a moment only. */
		if (error)
			error = vmsi_cover(space, part, VMSI_COLD);
		if (error)
			mark(space, part, VMSI_LEFTOVER);
	}
}

struct vmsi_uncovered_figures
vmsi_uncovered_count(const struct vms_space *space)
{
	struct vmsi_uncovered_figures figures = { 0, 0, 0 };
	struct vmsi_mapping *record;

	if (space->uncovered.count == 0)
		return figures;
	for (record = vmsi_map_find(&space->map, space->range.start); record;
	     record = vmsi_map_next(record)) {
		size_t length = vmsi_range_length(vmsi_mapping_range(record));

		if (!vmsi_is_uncovered(record))
			continue;
		figures.records++;
		figures.bytes += length;
		if (vmsi_has(&record->attributes, VMSI_FOREIGN))
			figures.foreign += length;
	}
	return figures;
}
