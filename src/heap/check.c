/* SPDX-License-Identifier: MIT */
#include "heap/check.h"

#include "base/panic.h"
#include "heap/heap.h"
#include "heap/locks.h"

/*
 * Other threads may be at work, so vmsi_heap_check looks only at what the locks
 * guard: not at live blocks, nor at busy slots, which are in no list.
 */

static const char *check_unused(const struct vmsi_slot_class *class,
				uint32_t *unused)
{
	for (const struct vmsi_slot *slot = class->unused; slot;
	     slot = slot->next) {
		if (++*unused > class->begun)
			return "H1: the list of unused slots has no end";
		if (vmsi_slot_use(slot) != VMSI_SLOT_UNUSED)
			return "H1: a slot in the list of unused ones is used";
		if (vmsi_get(&slot->room) || vmsi_get(&slot->touched) ||
		    vmsi_get(&slot->retained.to) || slot->lost || slot->run)
			return "H1: an unused slot has a trace of its use";
	}
	return NULL;
}

/* Check that the list of unused slots has all begun slots that are UNUSED. */
static const char *check_slots(const struct vmsi_slot_class *class)
{
	uint32_t listed = 0, unused = 0;
	const char *wrong = check_unused(class, &listed);

	if (wrong)
		return wrong;
	for (uint32_t i = 0; i < class->begun; i++)
		unused += vmsi_slot_use(&class->slots[i]) == VMSI_SLOT_UNUSED;
	if (unused != listed)
		return "H1: an unused slot is in no list";
	return NULL;
}

static const char *check_lost(const struct vms_heap *heap)
{
	for (const struct vmsi_slot *slot = heap->ages.lost; slot;
	     slot = slot->next)
		if (!slot->lost || vmsi_slot_use(slot) != VMSI_SLOT_BUSY)
			return "H9: a slot counts as lost and is not";
	return NULL;
}

static const char *check_all(struct vms_heap *heap)
{
	size_t slots = 0, blocks = 0;
	const char *wrong = check_lost(heap);

	for (unsigned i = 0; !wrong && i < VMSI_HEAP_CLASSES; i++)
		wrong = check_slots(&heap->layout.classes[i]);
	if (!wrong)
		wrong = vmsi_retained_check(heap, &slots);
	if (!wrong)
		wrong = vmsi_heap_check_runs(heap, &blocks);
	if (!wrong && slots + blocks != vmsi_get(&heap->ages.retained))
		wrong = "H2: what is retained is not the sum over its parts";
	return wrong;
}

const char *vmsi_heap_check(struct vms_heap *heap)
{
	const char *wrong;

	vmsi_heap_lock_all(heap);
	wrong = check_all(heap);
	vmsi_heap_unlock_all(heap);
	return wrong;
}

/* What a slot is charged, not counting holes of a run. */
static size_t charge_of(const struct vmsi_slot *slot)
{
	return vmsi_max(vmsi_get(&slot->room), vmsi_get(&slot->retained.to));
}

static size_t holes_of(const struct vms_heap *heap, const struct vmsi_slot *slot)
{
	return vmsi_slot_use(slot) == VMSI_SLOT_RUN ?
		slot->run->hole_blocks *
			heap->runs.classes[slot->run->class].size : 0;
}

const char *vmsi_heap_check_charge(struct vms_heap *heap)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };
	size_t charged = 0, used = 0;

	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++) {
		const struct vmsi_slot_class *class = &heap->layout.classes[i];

		for (uint32_t j = 0; j < class->begun; j++) {
			const struct vmsi_slot *slot = &class->slots[j];
			const size_t holes = holes_of(heap, slot);

			charged += charge_of(slot) - holes;
			used += vmsi_get(&slot->room) - holes;
		}
	}
	if (vms_space_get_stats(heap->space, &stats) ||
	    charged != stats.committed)
		return "H16: what is charged is not the sum over slots and blocks";
	return used == vmsi_get(&heap->ages.used) ? NULL :
		"H16: what is used is not the sum over slots and blocks";
}

void vmsi_heap_verify(struct vms_heap *heap)
{
#ifdef VMSI_DEBUG
	const char *wrong = vmsi_heap_check(heap);

	if (wrong)
		vmsi_panic(wrong);
#else
	(void)heap;
#endif
}
