/* SPDX-License-Identifier: MIT */
#include "stacks/list.h"

#include "base/panic.h"

/*
 * A test compiles this file with a header of its own, VMSI_LIST_STEPS, that defines
 * VMSI_LIST_STEP to take another thread's turn before each access to shared memory, and
 * may make the count of changes stand still.
 */
#ifdef VMSI_LIST_STEPS
#include VMSI_LIST_STEPS
#else
#define VMSI_LIST_STEP(word) ((void)0)
#define VMSI_LIST_CHANGE 1
#endif

#define NUMBER_BITS 24
#define NUMBER_MASK (((uint64_t)1 << NUMBER_BITS) - 1)

_Static_assert(VMS_STACKS_MOST < NUMBER_MASK, "a number and one more fits");

static uint64_t head_with(uint64_t earlier, uint64_t number)
{
	return ((earlier >> NUMBER_BITS) + VMSI_LIST_CHANGE) << NUMBER_BITS |
		number;
}

uint64_t vmsi_list_push(struct vms_stacks *stacks, size_t first, size_t last)
{
	uint64_t head, wanted;

	VMSI_LIST_STEP(&stacks->free);
	head = atomic_load_explicit(&stacks->free, memory_order_relaxed);
	do {
		VMSI_LIST_STEP(&stacks->slots[last].next);
		atomic_store_explicit(&stacks->slots[last].next,
				      (uint32_t)(head & NUMBER_MASK),
				      memory_order_relaxed);
		wanted = head_with(head, first + 1);
		VMSI_LIST_STEP(&stacks->free);
	} while (!atomic_compare_exchange_weak_explicit(
		&stacks->free, &head, wanted, memory_order_release,
		memory_order_relaxed));
	return wanted >> NUMBER_BITS;
}

bool vmsi_list_pop(struct vms_stacks *stacks, size_t *number)
{
	uint64_t head, first, next;

	VMSI_LIST_STEP(&stacks->free);
	head = atomic_load_explicit(&stacks->free, memory_order_acquire);
	do {
		first = head & NUMBER_MASK;
		if (first == 0)
			return false;
		/*
		 * Where another thread takes the slot meanwhile, this reads what
		 * is wrong, and the exchange fails.
		 */
		VMSI_LIST_STEP(&stacks->slots[first - 1].next);
		next = atomic_load_explicit(&stacks->slots[first - 1].next,
					    memory_order_relaxed);
		VMSI_LIST_STEP(&stacks->free);
	} while (!atomic_compare_exchange_weak_explicit(
		&stacks->free, &head, head_with(head, next),
		memory_order_acquire, memory_order_acquire));
	*number = first - 1;
	return true;
}

#ifdef VMSI_DEBUG
void vmsi_list_check(struct vms_stacks *stacks)
{
	const size_t made = atomic_load(&stacks->made);
	uint64_t at = atomic_load(&stacks->free) & NUMBER_MASK;
	size_t length = 0;

	for (; at; at = atomic_load(&stacks->slots[at - 1].next), length++)
		if (at > made || length == made ||
		    vmsi_slot_state(atomic_load(&stacks->slots[at - 1].state)) !=
			    SLOT_FREE)
			vmsi_panic("K1: the list of free stacks has what is not "
				   "free, or one twice");
}
#endif
