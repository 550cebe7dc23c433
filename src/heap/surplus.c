/* SPDX-License-Identifier: MIT */
#include "base/reclaim.h"
#include "heap/retain.h"
#include "heap/retain_parts.h"
#include "heap/slot.h"
#include "host/host.h"

/*
 * Memory behind the room of a live block, which is the block's to grow into and
 * goes back by age meanwhile.
 */

void vmsi_surplus_lock(struct vms_heap *heap)
{
	/* A call of the host that fails then has nobody to ask for memory. */
	vmsi_reclaim_forbid();
	vmsi_lock_acquire(&heap->surplus_lock);
}

void vmsi_surplus_unlock(struct vms_heap *heap)
{
	vmsi_lock_release(&heap->surplus_lock);
	vmsi_reclaim_allow();
}

void vmsi_surplus_list(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	vmsi_age_add(heap, slot);
	atomic_fetch_add_explicit(&heap->retained, vmsi_get(&slot->surplus),
				  memory_order_relaxed);
	vmsi_lock_release(&heap->lock);
}

/* Under surplus_lock and heap->lock. */
static void unlist_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_age_remove(heap, slot);
	atomic_fetch_sub_explicit(&heap->retained, vmsi_get(&slot->surplus),
				  memory_order_relaxed);
}

void vmsi_slot_withdraw_any(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (vmsi_get(&slot->surplus))
		unlist_surplus(heap, slot);
	else
		vmsi_slot_withdraw(heap, vmsi_class_of_slot(heap, slot), slot);
}

/* With it, its owner sees what was done to the memory. */
static void set_surplus(struct vmsi_slot *slot, size_t bytes)
{
	atomic_store_explicit(&slot->surplus, bytes, memory_order_release);
}

void vmsi_slot_take_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	size_t surplus;

	if (!atomic_load_explicit(&slot->surplus, memory_order_acquire))
		return;
	vmsi_lock_acquire(&heap->surplus_lock);
	surplus = vmsi_get(&slot->surplus);
	if (surplus) {
		vmsi_lock_acquire(&heap->lock);
		unlist_surplus(heap, slot);
		vmsi_lock_release(&heap->lock);
		set_surplus(slot, 0);
		vmsi_slot_set_room(heap, slot, vmsi_get(&slot->room) + surplus);
		vmsi_set(&slot->touched, vmsi_get(&slot->room));
	}
	vmsi_lock_release(&heap->surplus_lock);
}

void vmsi_slot_leave_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t kept = vmsi_slot_growth_room(heap, slot,
						  vmsi_get(&slot->size));
	size_t room;

	if (vmsi_get(&slot->touched) <= kept)
		return;
	/* What was only committed is no gain. */
	vmsi_slot_give_back(heap, slot, vmsi_get(&slot->touched));
	room = vmsi_get(&slot->room);
	vmsi_slot_set_room(heap, slot, kept);
	vmsi_set(&slot->touched, kept);
	slot->reclaimable = false;
	set_surplus(slot, room - kept);
	vmsi_surplus_list(heap, slot);
}

size_t vmsi_surplus_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			      size_t least)
{
	const size_t room = vmsi_get(&slot->room);
	const size_t end = room + vmsi_get(&slot->surplus);
	const size_t middle = least < end - room ? end - vmsi_max(least, 1) :
						   room;
	size_t from = vmsi_max(room, vmsi_align_down(middle,
						     vmsi_huge_page_size()));
	enum vmsi_gave gave = vmsi_slot_give_range_back(heap, slot, from, end);

	/* Of what keeps its charge no part is left. */
	if (gave == VMSI_GAVE_PAGES && from > room) {
		from = room;
		gave = vmsi_slot_give_range_back(heap, slot, from, end);
	}
	if (gave == VMSI_GAVE_NOTHING) {
		/* Last, or nothing else would ever be the oldest. */
		slot->freed_at = vmsi_heap_now();
		vmsi_surplus_list(heap, slot);
		return 0;
	}
	/* It is as new then, and nobody else's. */
	if (gave == VMSI_GAVE_PAGES)
		vmsi_slot_set_room(heap, slot, end);
	vmsi_count(&heap->counts.given_back, end - from);
	set_surplus(slot, from - room);
	if (from > room)
		vmsi_surplus_list(heap, slot);
	return end - from;
}
