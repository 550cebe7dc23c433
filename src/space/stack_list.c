/* SPDX-License-Identifier: MIT */
#include "space/space.h"
#include "space/walk.h"

/* The list of the MAP_GROWSDOWN mappings that stack.c works on. */

int vmsi_stacks_reserve(struct vmsi_stacks *stacks, size_t count)
{
	return stacks->any ? vmsi_pool_reserve(&stacks->pool, count) : 0;
}

struct vmsi_mapping *vmsi_growing_at(const struct vms_space *space,
				     uintptr_t start)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, start);

	if (!mapping || mapping->start != start ||
	    !vmsi_has(&mapping->attributes, VMSI_GROWSDOWN))
		return NULL;
	return mapping;
}

/* List the mapping that holds an address, if it is MAP_GROWSDOWN. */
static void note(struct vms_space *space, uintptr_t address)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, address);
	struct vmsi_stack *stack;

	if (!mapping || !vmsi_growing_at(space, mapping->start))
		return;
	for (stack = space->stacks.first; stack; stack = stack->next)
		if (stack->start == mapping->start)
			return;
	if (vmsi_pool_reserve(&space->stacks.pool, 1))
		return;
	stack = vmsi_pool_take(&space->stacks.pool);
	*stack = (struct vmsi_stack){
		.next = space->stacks.first,
		.start = mapping->start,
		.open_from = mapping->start,
	};
	space->stacks.first = stack;
}

void vmsi_stacks_changed(struct vms_space *space, struct vmsi_range range)
{
	if (!space->stacks.any)
		return;
	note(space, range.start);
	note(space, range.end);
}

void vmsi_stacks_first_open(const struct vms_space *space, uintptr_t at,
			    struct vmsi_range *first)
{
	for (const struct vmsi_stack *stack = space->stacks.first; stack;
	     stack = stack->next)
		if (stack->start > at && stack->open_from < first->start &&
		    stack->open_from < stack->start)
			*first = (struct vmsi_range){ stack->open_from,
						      stack->start };
}

bool vmsi_is_in_guard(const struct vms_space *space, struct vmsi_range range)
{
	const struct vmsi_mapping *above =
		vmsi_map_find(&space->map, range.end);

	return above && vmsi_has(&above->attributes, VMSI_GROWSDOWN) &&
		above->start < range.end + vmsi_guard_gap();
}
