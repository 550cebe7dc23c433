/* SPDX-License-Identifier: MIT */
#include "space/inside.h"
#include "stacks/stacks.h"

/* Slots and their addresses. */

void vmsi_slot_describe(const struct vms_stacks *stacks, size_t number,
			vms_stack *stack)
{
	const size_t colour = number % stacks->colours * COLOUR_BYTES;
	const uintptr_t base = vmsi_slot_base(stacks, number);

	stack->base = (void *)base;
	stack->size = stacks->size - colour;
	stack->top = (char *)stack->base + stack->size;
	stack->number = number;
}

bool vmsi_slot_of(struct vms_stacks *stacks, const vms_stack *stack,
		  size_t *number)
{
	if (!stacks || !stack || stack->number >= atomic_load(&stacks->made) ||
	    (uintptr_t)stack->base != vmsi_slot_base(stacks, stack->number))
		return false;
	*number = stack->number;
	return vmsi_slot_state(atomic_load(&stacks->slots[*number].state)) ==
		SLOT_TAKEN;
}

bool vmsi_slot_at(struct vms_stacks *stacks, uintptr_t address, size_t *number)
{
	if (address < stacks->first)
		return false;
	*number = (address - stacks->first) / stacks->pitch;
	return *number < atomic_load(&stacks->made) &&
		address < vmsi_slot_base(stacks, *number) + stacks->size;
}

int vms_stacks_find(vms_stacks *stacks, const void *address, vms_stack *stack)
{
	size_t number;

	if (!stacks || !stack)
		return vmsi_status(-EINVAL);
	if (!vmsi_slot_at(stacks, (uintptr_t)address, &number) ||
	    vmsi_slot_state(atomic_load(&stacks->slots[number].state)) !=
		    SLOT_TAKEN)
		return vmsi_status(-ENOENT);
	vmsi_slot_describe(stacks, number, stack);
	return 0;
}
