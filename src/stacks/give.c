/* SPDX-License-Identifier: MIT */
#include "space/inside.h"
#include "stacks/collect.h"
#include "stacks/depth.h"
#include "stacks/list.h"
#include "stacks/name.h"
#include "stacks/stacks.h"

/* vms_stacks_give. */

/*
 * Of so many changes of the list two look at the clock, if they are gives: one after the
 * other, since where stacks are taken and given in turn every second one is a give.
 */
#define LOOK_EVERY 256
#define LOOKS 2

static bool runs_on(const struct vms_stacks *stacks, size_t number)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t base = vmsi_slot_base(stacks, number);

	return here >= base && here < base + stacks->size;
}

/* A stack that two threads give back at once is given back by one of them. */
static bool take_from_holder(struct vms_stacks *stacks, size_t number,
			     uint32_t state)
{
	uint32_t taken = SLOT_TAKEN;

	return atomic_compare_exchange_strong_explicit(
		&stacks->slots[number].state, &taken, state,
		memory_order_release, memory_order_relaxed);
}

static bool put_away(struct vms_stacks *stacks, size_t number)
{
	const uint32_t pass = atomic_load_explicit(&stacks->pass,
						   memory_order_relaxed);
	const uint32_t word = vmsi_slot_word(SLOT_FREE, pass);

	if (!vmsi_stacks_has(stacks, VMS_STACKS_CLEARED))
		return take_from_holder(stacks, number, word);
	if (!take_from_holder(stacks, number, SLOT_GIVING))
		return false;
	vmsi_stack_clear(stacks, number);
	atomic_store_explicit(&stacks->slots[number].state, word,
			      memory_order_release);
	return true;
}

int vms_stacks_give(vms_stacks *stacks, const vms_stack *stack)
{
	size_t number;

	if (!vmsi_slot_of(stacks, stack, &number))
		return vmsi_status(-EINVAL);
	if (runs_on(stacks, number))
		return vmsi_status(-EBUSY);
	vmsi_stack_clear_name(stacks, number);
	if (!put_away(stacks, number))
		return vmsi_status(-EINVAL);
	if (vmsi_list_push(stacks, number, number) % LOOK_EVERY < LOOKS)
		vmsi_stacks_age(stacks);
	return 0;
}
