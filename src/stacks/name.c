/* SPDX-License-Identifier: MIT */
#include "stacks/name.h"

#include <string.h>

#include "space/inside.h"

void vmsi_stack_set_name(struct vms_stacks *stacks, size_t number,
			 const char *name)
{
	struct stack_name *kept = &stacks->names[number];
	uint64_t words[NAME_WORDS] = { 0 };

	if (name)
		memcpy(words, name, strnlen(name, VMS_STACK_NAME_MAX));
	for (size_t i = 0; i < NAME_WORDS; i++)
		atomic_store_explicit(&kept->words[i], words[i],
				      memory_order_relaxed);
}

/* A pool whose stacks have no names needs no memory for them. */
void vmsi_stack_clear_name(struct vms_stacks *stacks, size_t number)
{
	if (atomic_load_explicit(&stacks->names[number].words[0],
				 memory_order_relaxed))
		vmsi_stack_set_name(stacks, number, NULL);
}

void vmsi_stack_get_name(const struct vms_stacks *stacks, size_t number,
			 char *name)
{
	const struct stack_name *kept = &stacks->names[number];

	for (size_t i = 0; i < NAME_WORDS; i++) {
		const uint64_t word = atomic_load_explicit(
			&kept->words[i], memory_order_relaxed);

		memcpy(name + i * sizeof(word), &word, sizeof(word));
	}
}

int vms_stacks_set_name(vms_stacks *stacks, const vms_stack *stack,
			const char *name)
{
	size_t number;

	if (!vmsi_slot_of(stacks, stack, &number))
		return vmsi_status(-EINVAL);
	vmsi_stack_set_name(stacks, number, name);
	return 0;
}

int vms_stacks_name(vms_stacks *stacks, const vms_stack *stack, char *name)
{
	size_t number;

	if (!name || !vmsi_slot_of(stacks, stack, &number))
		return vmsi_status(-EINVAL);
	vmsi_stack_get_name(stacks, number, name);
	return 0;
}
