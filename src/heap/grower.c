/* SPDX-License-Identifier: MIT */
#include "heap/retain.h"
#include "heap/slot.h"
#include "heap/state.h"

/* Slots that blocks move to when they grow, from smaller slots and from runs. */

struct vmsi_slot *vmsi_slot_take_grower(struct vms_heap *heap, size_t held,
					size_t size, bool plain,
					enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot = vmsi_slot_take(heap, size, size, purpose);

	if (!slot)
		return NULL;
	vmsi_slot_set_plain(heap, slot, plain);
	if (vmsi_slot_commit_from(heap, slot, held, size, VMSI_COMMIT_GROWTH)) {
		vmsi_slot_put(heap, slot);
		return NULL;
	}
	return slot;
}

void vmsi_slot_publish_grown(struct vms_heap *heap, struct vmsi_slot *slot,
			     size_t size)
{
	vmsi_set(&slot->size, size);
	vmsi_slot_set_use(slot, VMSI_SLOT_LIVE);
	vmsi_slot_leave_surplus(heap, slot);
}
