/* SPDX-License-Identifier: MIT */
#include "stacks/depth.h"

#include <string.h>

#include "host/host.h"
#include "space/inside.h"

/* How deep stacks were used. */

static struct vmsi_range memory_of(const struct vms_stacks *stacks, size_t number)
{
	const uintptr_t base = vmsi_slot_base(stacks, number);

	return (struct vmsi_range){ base, base + stacks->size };
}

/*
 * The lowest word that is not 0, from the lowest page on that is there. The thread
 * whose stack it is may be at work, so each word is read once.
 */
static uintptr_t lowest_used(struct vmsi_range range)
{
	uintptr_t at = range.start;

	while (at < range.end &&
	       __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED) == 0)
		at += sizeof(uint64_t);
	return at;
}

/* The first byte in a word that is not 0. */
static uintptr_t lowest_byte(uintptr_t word, uintptr_t end)
{
	while (word < end &&
	       __atomic_load_n((const unsigned char *)word, __ATOMIC_RELAXED) == 0)
		word++;
	return word;
}

/* Where the host does not tell which pages are there, all of it is cleared. */
void vmsi_stack_clear(struct vms_stacks *stacks, size_t number)
{
	struct vmsi_range range = memory_of(stacks, number);

	if (vmsi_host_first_page(range, &range.start) < 0)
		range.start = vmsi_slot_base(stacks, number);
	range.start = lowest_used(range);
	memset((void *)range.start, 0, vmsi_range_length(range));
}

int vms_stacks_high_water(vms_stacks *stacks, const vms_stack *stack, size_t *bytes)
{
	struct vmsi_range range;
	vms_stack whole;
	size_t number;
	int error;

	if (!bytes || !vmsi_slot_of(stacks, stack, &number))
		return vmsi_status(-EINVAL);
	range = memory_of(stacks, number);
	error = vmsi_host_first_page(range, &range.start);
	if (error)
		return vmsi_status(error);
	vmsi_slot_describe(stacks, number, &whole);
	range.end = (uintptr_t)whole.top;
	if (vmsi_stacks_has(stacks, VMS_STACKS_CLEARED))
		range.start = lowest_byte(lowest_used(range), range.end);
	*bytes = range.start < range.end ? vmsi_range_length(range) : 0;
	return 0;
}
