/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/stat.h>

#include "base/versioned.h"
#include "heap/heap.h"
#include "host/host.h"
#include "space/inside.h"

/* Where a slot may have memory; empty: nowhere. */
static struct vmsi_range memory_of(const struct vmsi_slot_class *class,
				   const struct vmsi_slot *slot)
{
	struct vmsi_range range = { vmsi_slot_start(class, slot), 0 };

	range.end = range.start;
	if (vmsi_slot_use(slot) != VMSI_SLOT_UNUSED)
		range.end += vmsi_max(vmsi_get(&slot->room),
				      vmsi_get(&slot->retained.to));
	return range;
}

/* Add the resident memory of a slot, and its block if it is live. */
static void count_slot(const struct vmsi_slot_class *class,
		       const struct vmsi_slot *slot,
		       struct vms_heap_stats *stats)
{
	const struct vmsi_range range = memory_of(class, slot);
	size_t resident = 0;

	if (vmsi_slot_use(slot) == VMSI_SLOT_LIVE) {
		stats->live += vmsi_get(&slot->size);
		stats->blocks++;
		stats->grown_in_place +=
			atomic_load_explicit(&slot->grown, memory_order_relaxed);
	}
	if (range.end > range.start &&
	    vmsi_host_resident(range, &resident) == 0)
		stats->resident += resident;
}

static void count_slots(vms_heap *heap, struct vms_heap_stats *stats)
{
	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++) {
		const struct vmsi_slot_class *class = &heap->layout.classes[i];
		const uint32_t begun = vmsi_class_begun(heap, class);

		for (uint32_t j = 0; j < begun; j++)
			count_slot(class, &class->slots[j], stats);
	}
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		stats->live += vmsi_get(&heap->runs.classes[i].live);
		stats->blocks += vmsi_get(&heap->runs.classes[i].blocks);
	}
}

int vms_heap_get_stats(vms_heap *heap, struct vms_heap_stats *stats)
{
	struct vms_space_stats space = { .struct_size = sizeof space };
	const struct vmsi_heap_counts *counts;
	struct vms_heap_stats known;
	int error = heap && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_HEAP_STATS) : -EINVAL;

	if (error) {
		errno = -error;
		return -1;
	}
	if (vms_space_get_stats(heap->space, &space))
		return -1;
	counts = &heap->counts;
	known = (struct vms_heap_stats){
		.reserved = space.reserved,
		.committed = space.committed,
		.committed_peak = space.committed_peak,
		.retained = vmsi_get(&heap->ages.retained),
		.allocations = counts->allocations,
		.grown_in_place = counts->grown_in_place,
		.moves = counts->moves,
		.moved_bytes = counts->moved_bytes,
		.given_back = counts->given_back,
		.refusals = counts->refusals,
	};
	count_slots(heap, &known);
	vmsi_give_figures(stats, &known, sizeof known);
	return 0;
}

/* The slots from one on. */
struct rest {
	vms_heap *heap;
	unsigned class;
	uint32_t slot;
};

/* A class is one mapping, most of which was never used. */
static bool next_memory(void *context, struct vmsi_range *range)
{
	struct rest *rest = context;

	for (; rest->class < VMSI_HEAP_CLASSES; rest->class++, rest->slot = 0) {
		const struct vmsi_slot_class *class =
			&rest->heap->layout.classes[rest->class];
		const uint32_t begun = vmsi_class_begun(rest->heap, class);

		while (rest->slot < begun) {
			*range = memory_of(class, &class->slots[rest->slot++]);
			if (range->end > range->start)
				return true;
		}
	}
	return false;
}

int vms_stat_heap(vms_heap *heap, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known;
	struct rest rest = { .heap = heap };
	struct vmsi_page_places places = { .next = next_memory, .context = &rest };
	int error = vmsi_stat_check(heap, flags, stat);

	if (!error)
		error = vmsi_stat_of_space(heap->space, 0, &known);
	if (error)
		return vmsi_status(error);
	known.refusals = heap->counts.refusals;
	places.all.start = (uintptr_t)vms_space_base(heap->space);
	places.all.end = places.all.start + known.reserved;
	error = vmsi_stat_places(&places, flags, &known);
	return vmsi_stat_give(error, &known, stat);
}
