/* SPDX-License-Identifier: MIT */
#include "heap/block.h"

#include <errno.h>

#include "base/panic.h"
#include "heap/check.h"
#include "heap/collect.h"
#include "heap/density.h"
#include "host/host.h"
#include "space/inside.h"

/* The beginning and end of calls on blocks; the usable size; free. */

void *vmsi_block_of(vms_heap *heap, const struct vmsi_slot *slot)
{
	return (void *)vmsi_slot_address(&heap->layout, slot);
}

void *vmsi_block_answer(vms_heap *heap, void *block, int saved)
{
	if (!block)
		vmsi_count(&heap->counts.refusals, 1);
	vmsi_heap_age(heap, vmsi_heap_now());
	errno = block ? saved : ENOMEM;
	vmsi_heap_verify(heap);
	vmsi_budget_tell_early();
	return block;
}

size_t vms_heap_usable_size(const vms_heap *heap, const void *block)
{
	struct vmsi_slot *slot;

	if (!block)
		return 0;
	slot = vmsi_block_find((vms_heap *)heap, block);
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		return vmsi_run_usable((vms_heap *)heap, slot, (uintptr_t)block);
	return vmsi_align_up(vmsi_get(&slot->size), vmsi_page_size());
}

bool vms_heap_owns(const vms_heap *heap, const void *address)
{
	return vmsi_layout_has(&heap->layout, address);
}

/* --- free ----------------------------------------------------------------- */

static void free_slot(vms_heap *heap, struct vmsi_slot *slot)
{
	uint32_t live = VMSI_SLOT_LIVE;

	/* Of two threads that free one block at once, one panics here. */
	if (!atomic_compare_exchange_strong(&slot->use, &live, VMSI_SLOT_BUSY))
		vmsi_panic("heap: given a block that is not in use");
	vmsi_count(&heap->counts.grown_in_place,
		   atomic_load_explicit(&slot->grown, memory_order_relaxed));
	vmsi_density_learn(heap, slot);
	vmsi_slot_note_written(slot);
	vmsi_slot_put(heap, slot);
	vmsi_heap_age(heap, vmsi_heap_now());
}

void vms_heap_free(vms_heap *heap, void *block)
{
	int saved = errno;
	struct vmsi_slot *slot;

	if (!block)
		return;
	slot = vmsi_block_find(heap, block);
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		vmsi_run_free(heap, slot, (uintptr_t)block);
	else
		free_slot(heap, slot);
	vmsi_heap_verify(heap);
	errno = saved;
}
