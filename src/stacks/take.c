/* SPDX-License-Identifier: MIT */
#include "base/panic.h"
#include "space/inside.h"
#include "stacks/grow.h"
#include "stacks/list.h"
#include "stacks/name.h"
#include "stacks/stacks.h"

/* vms_stacks_take. */

/*
 * Mark a slot that is in no list taken. Only who collects has it too, for as long as
 * it holds the pool's lock.
 */
static void mark_taken(struct vms_stacks *stacks, size_t number)
{
	_Atomic uint32_t *state = &stacks->slots[number].state;
	uint32_t word = atomic_load_explicit(state, memory_order_relaxed);

	for (;;) {
		vmsi_debug_check(vmsi_slot_state(word) == SLOT_FREE ||
					 vmsi_slot_state(word) == SLOT_TRIMMING,
				 "K1: a stack in the list of free ones is not free");
		if (vmsi_slot_state(word) == SLOT_TRIMMING) {
			vmsi_lock_acquire(&stacks->lock);
			vmsi_lock_release(&stacks->lock);
			word = atomic_load(state);
		} else if (atomic_compare_exchange_weak_explicit(
				   state, &word, SLOT_TAKEN,
				   memory_order_acquire, memory_order_relaxed)) {
			return;
		}
	}
}

/* A slot that was given back meanwhile, or a new one. */
static int find_slot(struct vms_stacks *stacks, size_t *number)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	do {
		vmsi_lock_acquire(&stacks->lock);
		error = vmsi_list_pop(stacks, number) ? 0 :
			vmsi_stacks_grow(stacks, number);
		vmsi_lock_release(&stacks->lock);
	} while (vmsi_try_again(stacks->space, error, &attempts));
	return error;
}

int vms_stacks_take(vms_stacks *stacks, const char *name, vms_stack *stack)
{
	size_t number;
	int error;

	if (!stacks || !stack)
		return vmsi_status(-EINVAL);
	if (!vmsi_list_pop(stacks, &number)) {
		error = find_slot(stacks, &number);
		if (error)
			return vmsi_status(error);
	}
	mark_taken(stacks, number);
	if (name)
		vmsi_stack_set_name(stacks, number, name);
	vmsi_slot_describe(stacks, number, stack);
	return 0;
}
