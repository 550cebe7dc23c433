/* SPDX-License-Identifier: MIT */
#include "space/inside.h"
#include "space/records.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * The invariants of docs/invariants.md that one walk over a space can check.
 * The texts begin with the invariant's number there.
 */

static const char *check_mappings(const struct vms_space *space,
				  size_t *charged)
{
	for (const struct vmsi_mapping *mapping =
		     vmsi_map_find(&space->map, space->range.start);
	     mapping; mapping = vmsi_map_next(mapping)) {
		const struct vmsi_attributes *attributes = &mapping->attributes;

		if (!vmsi_inside(space, vmsi_mapping_range(mapping)))
			return "invariant 1: a mapping lies outside its space";
		if (vmsi_has(attributes, VMSI_ACCOUNTED)) {
			if (attributes->flags & VMSI_COMMIT_EXEMPT)
				return "invariant 3: an exempt mapping is charged";
			*charged += mapping->end - mapping->start;
		}
		if (attributes->object && attributes->object->mapped <
		    mapping->end - mapping->start)
			return "invariant 5: an object lost count of its mappings";
		if (attributes->object && attributes->object->held &&
		    attributes->object->holding == 0)
			return "invariant 5a: an object is held by no mapping";
	}
	return NULL;
}

/* The sum of what objects are charged, each counted once. */
static size_t object_charges(const struct vms_space *space)
{
	size_t charged = 0;

	for (struct vmsi_mapping *mapping =
		     vmsi_map_find(&space->map, space->range.start);
	     mapping; mapping = vmsi_map_next(mapping)) {
		struct vmsi_object *object = mapping->attributes.object;
		size_t length = mapping->end - mapping->start;

		/*
		 * An object is counted at the last of its mappings, when seen
		 * has reached mapped. So the walk needs no list of objects.
		 */
		if (!object || !object->charged)
			continue;
		object->seen += length;
		if (object->seen < object->mapped)
			continue;
		object->seen = 0;
		charged += object->charged;
	}
	return charged;
}

static const char *check_warm_holes(const struct vms_space *space)
{
	for (unsigned i = 0; i < space->warm.count; i++)
		if (!vmsi_map_is_free(&space->map, space->warm.all[i]))
			return "invariant 6: a warm hole is mapped";
	return NULL;
}

static const char *check_gaps(const struct vms_space *space)
{
	for (unsigned i = 0; i < space->gaps.count; i++) {
		struct vmsi_range all = { space->gaps.all[i].open.start,
					  space->gaps.all[i].sentinel_end };

		if (!vmsi_map_is_free(&space->map, all))
			return "invariant 6: an open gap is mapped";
	}
	return NULL;
}

const char *vmsi_space_check(struct vms_space *space)
{
	size_t charged = 0;
	const char *wrong = vmsi_map_check(&space->map);

	if (!wrong)
		wrong = check_mappings(space, &charged);
	if (!wrong)
		wrong = check_warm_holes(space);
	if (!wrong)
		wrong = check_gaps(space);
	if (wrong)
		return wrong;
	charged += object_charges(space);
	if (charged != space->ledger.charged)
		return "invariant 4: the ledger is not the sum over the map";
	if (space->ledger.ahead)
		return "invariant 4: the budget is charged less than the ledger";
	return NULL;
}
