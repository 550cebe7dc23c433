/* SPDX-License-Identifier: MIT */
#include "heap/attributes.h"

#include <sys/mman.h>

#include <vmspace/mapping.h>

#include "heap/marks.h"
#include "heap/memlock.h"
#include "heap/heap.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * The kernel keeps rights, advice, locks and policies with a mapping. libc unmaps a
 * large block when it is freed; the heap retains it, and the next block would get
 * them. So blocks whose memory the program has changed are marked.
 */

static uint64_t bit_of(unsigned index)
{
	return (uint64_t)1 << (index % 64);
}

static void mark_blocks(struct vms_heap *heap, struct vmsi_slot *slot,
			uintptr_t start, struct vmsi_range range)
{
	struct vmsi_run *run = slot->run;
	size_t size, last;

	if (!run)
		return;
	size = heap->runs.classes[run->class].size;
	last = vmsi_min((range.end - start - 1) / size, run->count - 1);
	for (size_t i = (range.start - start) / size; i <= last; i++)
		__atomic_fetch_or(&run->changed[i / 64],
				  bit_of((unsigned)i), __ATOMIC_RELAXED);
}

static void mark_slot(struct vms_heap *heap, struct vmsi_slot *slot,
		      uintptr_t start, struct vmsi_range range)
{
	switch (vmsi_slot_use(slot)) {
	case VMSI_SLOT_LIVE:
		vmsi_slot_set_changed(slot, true);
		break;
	case VMSI_SLOT_RUN:
		mark_blocks(heap, slot, start, range);
		break;
	default:
		/* The program has no block there. */
		break;
	}
}

void vmsi_heap_note_changed(vms_heap *heap, uintptr_t address, size_t length)
{
	const struct vmsi_range all = { heap->layout.start,
					heap->layout.start + heap->layout.length };
	struct vmsi_range range = { address, address };

	/* The kernel refuses a range that wraps. */
	if (!vmsi_add(address, length, &range.end))
		return;
	range = vmsi_range_common(range, all);
	while (range.start < range.end) {
		struct vmsi_slot_class *class =
			vmsi_class_of(&heap->layout, range.start);
		struct vmsi_slot *slot = vmsi_slot_of(class, range.start);
		const uintptr_t start = vmsi_slot_start(class, slot);
		const uintptr_t end = start + vmsi_slot_capacity(class);

		mark_slot(heap, slot, start,
			  (struct vmsi_range){ range.start,
					       vmsi_min(range.end, end) });
		range.start = end;
	}
}

bool vmsi_heap_has_huge_pages(const vms_heap *heap)
{
	return heap->huge_pages;
}

/* --- when a block is freed ------------------------------------------------ */

void vmsi_slot_renew(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (!vmsi_slot_is_changed(slot) && !vmsi_heap_get_locking(heap))
		return;
	vmsi_slot_set_changed(slot, false);
	vmsi_slot_give_back(heap, slot, 0);
	/* The host refused to take it back: no block may get the slot. */
	if (vmsi_get(&slot->room) > 0)
		slot->lost = true;
}

static bool is_changed(const struct vmsi_run *run, unsigned index)
{
	return __atomic_load_n(&run->changed[index / 64], __ATOMIC_RELAXED) &
		bit_of(index);
}

bool vmsi_run_moves_changed(const struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index)
{
	if (vmsi_heap_get_locking(heap))
		__atomic_fetch_or(&run->changed[index / 64], bit_of(index),
				  __ATOMIC_RELAXED);
	return is_changed(run, index);
}

/*
 * Map a block anew. It becomes a hole if the host refuses to make it writable.
 * False: the host refused to take the old memory back.
 */
static bool map_anew(struct vms_heap *heap, struct vmsi_run *run,
		     unsigned index, uintptr_t address)
{
	const size_t length = heap->runs.classes[run->class].size;
	const size_t from = index * length;

	if (vmsi_slot_give_range_back(heap, run->slot, from, from + length) !=
	    VMSI_GAVE_ALL)
		return false;
	run->blocks[index].memory =
		vmsi_protect(heap->space, address, length, PROT_READ | PROT_WRITE) ?
			VMSI_BLOCK_HOLE : VMSI_BLOCK_FRESH;
	return true;
}

bool vmsi_run_renew(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index, uintptr_t address)
{
	const size_t length = heap->runs.classes[run->class].size;

	if (is_changed(run, index)) {
		__atomic_fetch_and(&run->changed[index / 64], ~bit_of(index),
				   __ATOMIC_RELAXED);
		return map_anew(heap, run, index, address);
	}
	if (!vmsi_heap_get_locking(heap))
		return true;
	vmsi_heap_unlock(heap, address, length);
	if (vms_madvise(heap->space, (void *)address, length,
			MADV_DONTNEED) == 0)
		run->blocks[index].memory = VMSI_BLOCK_FRESH;
	return true;
}
