/* SPDX-License-Identifier: MIT */
#include "base/mman.h"
#include "host/host.h"
#include "space/records.h"
#include "space/space.h"

/*
 * The host grows a MAP_GROWSDOWN mapping when it is touched below its start,
 * but only into addresses where the host has nothing. So the reservation leaves
 * out the guard gap below the mapping, which is the open gap:
 *
 *     reservation          open gap            the mapping
 *   ..............|                      |###################|
 *              open_from              start
 *
 * When the host looks for free addresses it leaves a guard gap alone, so no
 * mmap without MAP_FIXED lands there. The next call on the space learns how far
 * the mapping has grown, and opens the gap below it again.
 */

int vmsi_stacks_begin(struct vms_space *space)
{
	vmsi_gaps_forbid(space);
	if (!space->stacks.any)
		vmsi_pool_init(&space->stacks.pool, sizeof(struct vmsi_stack),
			       space->map.pool.source);
	space->stacks.any = true;
	return vmsi_reserve_records(space);
}

/* How far down the host has memory without a hole, from stack->start. */
static uintptr_t lowest_mapped(const struct vmsi_stack *stack)
{
	uintptr_t low = stack->open_from, high = stack->start;

	/* [high, start) is mapped; the answer is in [low, high]. */
	while (low < high) {
		uintptr_t middle = vmsi_align_down(low + (high - low) / 2,
						   vmsi_page_size());

		if (vmsi_host_is_mapped((struct vmsi_range){
			    middle, stack->start }) == 1)
			high = middle;
		else
			low = middle + vmsi_page_size();
	}
	return high;
}

void vmsi_stacks_refresh(struct vms_space *space)
{
	for (struct vmsi_stack *stack = space->stacks.first; stack;
	     stack = stack->next) {
		struct vmsi_mapping *mapping =
			vmsi_growing_at(space, stack->start);
		struct vmsi_range grown = { 0, stack->start };
		struct vmsi_attributes attributes;

		if (!mapping || stack->open_from == stack->start)
			continue;
		grown.start = lowest_mapped(stack);
		if (grown.start == grown.end ||
		    vmsi_map_reserve(&space->map, VMSI_MAP_RECORDS))
			continue;
		attributes = mapping->attributes;
		/* Growth gives it an anon_vma: it stays charged. */
		attributes.flags |= VMSI_TOUCHED;
		if (vmsi_has(&attributes, VMSI_ACCOUNTED))
			vmsi_ledger_charge_forced(
				&space->ledger, vmsi_range_length(grown), 0);
		stack->start = grown.start;
		vmsi_publish(space, grown, 0, &attributes);
	}
}

static void close_gap(struct vms_space *space, struct vmsi_stack *stack)
{
	struct vmsi_range gap = { stack->open_from, stack->start };

	stack->open_from = stack->start;
	vmsi_cover_holes(space, gap);
}

void vmsi_stacks_close(struct vms_space *space, struct vmsi_range range)
{
	for (struct vmsi_stack *stack = space->stacks.first; stack;
	     stack = stack->next)
		if (vmsi_range_overlaps((struct vmsi_range){ stack->open_from,
							     stack->start },
					range))
			close_gap(space, stack);
}

/*
 * Where the open gap of a mapping should begin. The host does not grow it to
 * closer than a guard gap above memory with any rights. For that it must meet
 * such memory, and no reservation, below all that one touch can reach.
 */
static uintptr_t gap_start(const struct vms_space *space,
			   const struct vmsi_mapping *mapping)
{
	const struct vmsi_mapping *below = vmsi_map_previous(mapping);
	uintptr_t limit = below ? below->end : space->range.start;
	size_t hole = mapping->start - limit;

	if (below && below->attributes.prot != PROT_NONE &&
	    hole < 2 * vmsi_guard_gap())
		return limit;
	return mapping->start - vmsi_min(vmsi_guard_gap(), hole);
}

/* Open or cover addresses, so that the gap begins at gap_start. */
static void adjust_gap(struct vms_space *space, struct vmsi_stack *stack,
		       const struct vmsi_mapping *mapping)
{
	uintptr_t from = gap_start(space, mapping);

	if (from > stack->open_from) {
		struct vmsi_range closed = { stack->open_from, from };

		stack->open_from = from;
		vmsi_cover_holes(space, closed);
	}
	if (from < stack->open_from) {
		struct vmsi_range gap = { from, stack->open_from };

		vmsi_warm_trim(space, gap);
		if (vmsi_host.munmap(gap.start, vmsi_range_length(gap)) < 0)
			return;
	}
	stack->open_from = from;
}

/*
 * Close the gaps of mappings that are gone, and take these off the list. This
 * comes before gaps are opened, which may have the same addresses.
 */
static void drop_dead(struct vms_space *space)
{
	struct vmsi_stack **link = &space->stacks.first;

	while (*link) {
		struct vmsi_stack *stack = *link;

		if (vmsi_growing_at(space, stack->start)) {
			link = &stack->next;
			continue;
		}
		close_gap(space, stack);
		*link = stack->next;
		vmsi_pool_give(&space->stacks.pool, stack);
	}
}

void vmsi_stacks_update(struct vms_space *space)
{
	drop_dead(space);
	for (struct vmsi_stack *stack = space->stacks.first; stack;
	     stack = stack->next)
		adjust_gap(space, stack, vmsi_growing_at(space, stack->start));
}
