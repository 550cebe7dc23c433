/* SPDX-License-Identifier: MIT */
#include "host/host.h"
#include "space/space.h"
#include "space/walk.h"

/* --- the range that a caller means ---------------------------------------- */

bool vmsi_page_range(uintptr_t address, size_t length,
		     struct vmsi_range *range)
{
	uintptr_t rounded;

	range->start = address;
	return vmsi_align_up_checked(length, vmsi_page_size(), &rounded) &&
		vmsi_add(address, rounded, &range->end);
}

/* --- walks ----------------------------------------------------------------- */

static struct vmsi_mapping *skip_uncovered(struct vmsi_mapping *mapping)
{
	while (mapping && vmsi_is_uncovered(mapping))
		mapping = vmsi_map_next(mapping);
	return mapping;
}

struct vmsi_mapping *vmsi_lookup(const struct vms_space *space,
				 uintptr_t address)
{
	struct vmsi_mapping *mapping = vmsi_map_lookup(&space->map, address);

	return mapping && !vmsi_is_uncovered(mapping) ? mapping : NULL;
}

static struct vmsi_mapping *within(struct vmsi_mapping *mapping,
				   struct vmsi_range range)
{
	mapping = skip_uncovered(mapping);
	return mapping && mapping->start < range.end ? mapping : NULL;
}

struct vmsi_mapping *vmsi_first(const struct vms_space *space,
				struct vmsi_range range)
{
	return within(vmsi_map_find(&space->map, range.start), range);
}

struct vmsi_mapping *vmsi_following(const struct vmsi_mapping *mapping,
				    struct vmsi_range range)
{
	return within(vmsi_map_next(mapping), range);
}

size_t vmsi_mapped_bytes(const struct vms_space *space, struct vmsi_range range)
{
	size_t bytes = 0;

	vmsi_for_each(space, mapping, range)
		bytes += vmsi_range_length(vmsi_piece(mapping, range));
	return bytes;
}

uintptr_t vmsi_run_end(const struct vms_space *space, uintptr_t address,
		       uintptr_t limit)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, address);

	while (mapping && address < limit) {
		address = mapping->end;
		mapping = vmsi_map_next(mapping);
		if (mapping && (mapping->start != address ||
				vmsi_is_uncovered(mapping)))
			break;
	}
	return vmsi_min(address, limit);
}

bool vmsi_next_run(const struct vms_space *space, uintptr_t from,
		   uintptr_t limit, struct vmsi_range *run)
{
	struct vmsi_range range = { from, limit };
	struct vmsi_mapping *mapping = vmsi_first(space, range);

	if (!mapping)
		return false;
	run->start = vmsi_max(from, mapping->start);
	run->end = vmsi_run_end(space, run->start, limit);
	return true;
}

bool vmsi_has_sealed(const struct vms_space *space, struct vmsi_range range)
{
	vmsi_for_each(space, mapping, range)
		if (vmsi_has(&mapping->attributes, VMSI_SEALED))
			return true;
	return false;
}

int vmsi_call_run(struct vms_space *space, struct vmsi_range run,
		  struct vmsi_range_call call, uintptr_t *done)
{
	struct vmsi_mapping *first = vmsi_first(space, run);
	long result = call.call(run, call.context);

	*done = result < 0 ? run.start : run.end;
	if (result >= 0 || !first || first->end >= run.end)
		return result < 0 ? (int)result : 0;
	/*
	 * The host has changed the mappings before the one that it refused, and
	 * does not say which that is. To call for each again finds it.
	 */
	vmsi_for_each(space, mapping, run) {
		struct vmsi_range piece = vmsi_piece(mapping, run);

		result = call.call(piece, call.context);
		if (result < 0)
			return (int)result;
		*done = piece.end;
	}
	return 0;
}
