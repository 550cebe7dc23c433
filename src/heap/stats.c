/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/versioned.h"
#include "heap/heap.h"
#include "host/host.h"

/* Add the resident memory of a slot, and its block if it is live. */
static void count_slot(const struct vmsi_slot_class *class,
		       const struct vmsi_slot *slot,
		       struct vms_heap_stats *stats)
{
	const enum vmsi_slot_use use = vmsi_slot_use(slot);
	struct vmsi_range range = { vmsi_slot_start(class, slot), 0 };
	size_t resident = 0;

	if (use == VMSI_SLOT_LIVE) {
		stats->live += vmsi_get(&slot->size);
		stats->blocks++;
		stats->grown_in_place +=
			atomic_load_explicit(&slot->grown, memory_order_relaxed);
	}
	range.end = range.start + vmsi_max(vmsi_get(&slot->room),
					   vmsi_get(&slot->retained.to));
	if (use != VMSI_SLOT_UNUSED && range.end > range.start &&
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
