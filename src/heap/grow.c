/* SPDX-License-Identifier: MIT */
#include "heap/grow.h"

#include "heap/heap.h"

struct vmsi_slot *vmsi_grown_take(struct vms_heap *heap, size_t held,
				  size_t size, bool small_pages,
				  enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot = vmsi_slot_take(heap, size, size, purpose);

	if (!slot)
		return NULL;
	/* With equal advice the host merges it with the pages that move there. */
	vmsi_slot_set_small_pages(heap, slot, small_pages);
	if (vmsi_slot_commit(heap, slot, held, size, VMSI_REACH_AHEAD)) {
		vmsi_slot_put(heap, slot);
		return NULL;
	}
	return slot;
}

void vmsi_grown_publish(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t size)
{
	vmsi_set(&slot->size, size);
	vmsi_slot_set_use(slot, VMSI_SLOT_LIVE);
	vmsi_slot_leave_surplus(heap, slot);
}
