/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "base/reclaim.h"
#include "growth/growth.h"
#include "heap/marks.h"
#include "heap/memlock.h"
#include "heap/request.h"
#include "heap/heap.h"
#include "host/host.h"
#include "space/inside.h"

#define RW (PROT_READ | PROT_WRITE)

/*
 * From this size on a block that grows is committed ahead by at least a huge page.
 * A smaller one is committed an eighth ahead, at least AHEAD_LEAST and no further
 * than this size: so it gets no huge page that it would leave nearly empty.
 */
#define HUGE_FROM ((size_t)2 << 20)
#define AHEAD_LEAST ((size_t)64 << 10)

/*
 * vmsi_slot_clear writes zeroes to the pages that are in memory if they are at most
 * this part of touched, and drops them if they are more: each table of calloc may
 * touch other pages, and a slot would collect the pages of all of them.
 */
#define KEPT_BY_CLEAR 8

static size_t pages_of(size_t bytes)
{
	return vmsi_align_up(bytes, vmsi_page_size());
}

/*
 * Without huge pages this adds no more than vmsi_growth_populate brings in by one
 * call, so that none of what is committed ahead is left to faults.
 */
size_t vmsi_commit_ahead(const struct vms_heap *heap, size_t bytes)
{
	size_t more = vmsi_max(bytes / 8, AHEAD_LEAST);

	if (bytes >= HUGE_FROM && heap->huge_pages)
		return vmsi_growth_ahead(bytes, SIZE_MAX);
	if (heap->huge_pages)
		return vmsi_min(bytes + more, HUGE_FROM);
	return bytes + vmsi_min(more, VMSI_GROWTH_POPULATE_MOST);
}

/*
 * How much of a slot to commit. In a fresh slot the end of the block, beyond its
 * last whole huge page, is on small pages. In a slot that had a block before, that
 * huge page is committed as a whole: blocks of other sizes will end elsewhere, and
 * each would fault in small pages there.
 */
static size_t wanted_room(const struct vms_heap *heap,
			  const struct vmsi_slot *slot, size_t bytes,
			  enum vmsi_reach reach)
{
	if (reach != VMSI_REACH_EXACT)
		return vmsi_commit_ahead(heap, bytes);
	if (bytes >= HUGE_FROM && heap->huge_pages && !slot->small_pages &&
	    vmsi_get(&slot->touched) > 0)
		return vmsi_align_up(bytes, vmsi_huge_page_size());
	return bytes;
}

size_t vmsi_slot_room_to_grow(const struct vms_heap *heap,
			      const struct vmsi_slot *slot, size_t bytes)
{
	const size_t unit = heap->huge_pages ? vmsi_huge_page_size() :
					       vmsi_page_size();

	return vmsi_min(vmsi_align_up(vmsi_commit_ahead(heap, bytes), unit),
			vmsi_get(&slot->room));
}

void vmsi_slot_set_room(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t room)
{
	vmsi_increase(&heap->ages.used, room - vmsi_get(&slot->room));
	vmsi_set(&slot->room, room);
}

static int protect(struct vms_heap *heap, uintptr_t start, size_t from,
		   size_t to)
{
	int error = vmsi_protect(heap->space, start + from, to - from, RW);

	vmsi_request_note(error);
	return error;
}

int vmsi_slot_commit(struct vms_heap *heap, struct vmsi_slot *slot,
		     size_t from, size_t bytes, enum vmsi_reach reach)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(&heap->layout, slot);
	const uintptr_t start = vmsi_slot_start(class, slot);
	const size_t begin = vmsi_max(vmsi_get(&slot->room), from);
	const size_t exact = pages_of(bytes);
	const unsigned since = vmsi_reclaim_moment();
	size_t wanted;
	int error;

	if (exact <= begin)
		return 0;
	wanted = vmsi_min(pages_of(wanted_room(heap, slot, bytes, reach)),
			  vmsi_slot_capacity(class));
	/* Locked memory is brought in at once and counts against a limit. */
	if (vmsi_heap_locks_new(heap))
		wanted = exact;
	error = protect(heap, start, begin, wanted);
	if (error && wanted > exact &&
	    vmsi_reclaim(vmsi_space_budget(heap->space), since))
		error = protect(heap, start, begin, wanted);
	if (error && wanted > exact) {
		wanted = exact;
		error = protect(heap, start, begin, wanted);
	}
	if (error)
		return error;
	error = vmsi_heap_lock_new(heap, start + begin, wanted - begin);
	if (error) {
		/* If this is refused too, the whole slot is mapped anew later. */
		if (vmsi_slot_give_range_back(heap, slot, begin, wanted) !=
		    VMSI_GAVE_ALL)
			slot->lost = true;
		return error;
	}
	vmsi_slot_set_room(heap, slot, wanted);
	/* The program will write beyond the block's old end next. */
	if (reach == VMSI_REACH_AHEAD &&
	    (wanted <= HUGE_FROM || !heap->huge_pages))
		vmsi_growth_populate(start,
				     vmsi_max(vmsi_get(&slot->size), from), 0,
				     wanted);
	return 0;
}

/* Give a new mapping of the slot the advice on huge pages that the slot has. */
static void advise(struct vms_heap *heap, const struct vmsi_slot *slot,
		   uintptr_t start, size_t length)
{
	if (heap->huge_pages)
		(void)vms_madvise(heap->space, (void *)start, length,
				  slot->small_pages ? MADV_NOHUGEPAGE :
						MADV_HUGEPAGE);
}

int vmsi_slot_reserve_again(struct vms_heap *heap, struct vmsi_slot *slot,
			    uintptr_t start, size_t length)
{
	const long result = vmsi_mmap(heap->space, start, length, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (result < 0) {
		slot->lost = true;
		return (int)result;
	}
	vmsi_heap_unlock_reserved(heap, start, length);
	advise(heap, slot, start, length);
	return 0;
}

/*
 * Drop the pages of memory whose charge the host refused to take back; locked pages
 * stay. If the host has unmapped the memory although it answered an error, both
 * are gone, and the addresses are reserved again.
 */
static enum vmsi_gave drop_only(struct vms_heap *heap, struct vmsi_slot *slot,
				uintptr_t start, size_t length)
{
	if (vms_madvise(heap->space, (void *)start, length,
			MADV_DONTNEED) == 0)
		return VMSI_GAVE_PAGES;
	if (vmsi_has_mapping(heap->space, start))
		return VMSI_GAVE_NOTHING;
	(void)vmsi_slot_reserve_again(heap, slot, start, length);
	return VMSI_GAVE_ALL;
}

enum vmsi_gave vmsi_slot_give_range_back(struct vms_heap *heap,
					 struct vmsi_slot *slot, size_t from,
					 size_t to)
{
	const uintptr_t start =
		vmsi_slot_address(&heap->layout, slot) + from;

	vmsi_heap_unlock(heap, start, to - from);
	if (vms_decommit(heap->space, (void *)start, to - from,
			 VMS_DECOMMIT_UNCHARGE))
		return drop_only(heap, slot, start, to - from);
	vmsi_heap_unlock_reserved(heap, start, to - from);
	advise(heap, slot, start, to - from);
	return VMSI_GAVE_ALL;
}

void vmsi_slot_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			 size_t from)
{
	const size_t room = vmsi_get(&slot->room);
	const size_t touched = vmsi_get(&slot->touched);
	enum vmsi_gave gave;

	if (from >= room)
		return;
	gave = vmsi_slot_give_range_back(heap, slot, from, room);
	if (gave == VMSI_GAVE_NOTHING)
		return;
	if (gave == VMSI_GAVE_ALL)
		vmsi_slot_set_room(heap, slot, from);
	if (touched > from) {
		vmsi_count(&heap->counts.given_back, touched - from);
		vmsi_set(&slot->touched, from);
	}
}

bool vmsi_slot_mend(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(&heap->layout, slot);

	if (vmsi_slot_reserve_again(heap, slot, vmsi_slot_start(class, slot),
				    vmsi_slot_capacity(class)))
		return false;
	slot->lost = false;
	vmsi_slot_set_room(heap, slot, 0);
	vmsi_set(&slot->touched, 0);
	return true;
}

void vmsi_slot_note_written(struct vmsi_slot *slot)
{
	size_t written = pages_of(vmsi_get(&slot->size));

	if (written > vmsi_get(&slot->touched))
		vmsi_set(&slot->touched, written);
}

void vmsi_slot_clear(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const uintptr_t start =
		vmsi_slot_address(&heap->layout, slot);
	const size_t touched = vmsi_get(&slot->touched);

	if (touched == 0)
		return;
	/* To write zeroes to a page costs less than the fault for a new one. */
	if (vmsi_host_clear_pages((struct vmsi_range){ start, start + touched },
				  touched / KEPT_BY_CLEAR))
		return;
	if (vms_madvise(heap->space, (void *)start, touched, MADV_DONTNEED))
		__builtin_memset((void *)start, 0, touched);
	vmsi_set(&slot->touched, 0);
}

void vmsi_slot_set_small_pages(struct vms_heap *heap, struct vmsi_slot *slot,
			 bool small_pages)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(&heap->layout, slot);

	if (!heap->huge_pages || slot->small_pages == small_pages)
		return;
	if (vms_madvise(heap->space, (void *)vmsi_slot_start(class, slot),
			vmsi_slot_capacity(class),
			small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE) == 0)
		slot->small_pages = small_pages;
}

/* Reserve a slot again after its pages moved away, or after a failed move. */
static void empty(struct vms_heap *heap, struct vmsi_slot *slot, size_t length)
{
	const uintptr_t start =
		vmsi_slot_address(&heap->layout, slot);

	(void)vmsi_slot_reserve_again(heap, slot, start, length);
	vmsi_slot_set_room(heap, slot, 0);
	vmsi_set(&slot->touched, 0);
}

/* Move pages to the start of a busy slot, which is left empty if that fails. */
static int move_pages(struct vms_heap *heap, uintptr_t from, size_t length,
		      struct vmsi_slot *slot, int flags)
{
	const uintptr_t to =
		vmsi_slot_address(&heap->layout, slot);
	const size_t room = vmsi_max(length, vmsi_get(&slot->room));
	int error = vmsi_move_range(heap->space,
				    (struct vmsi_range){ from, from + length },
				    (struct vmsi_range){ to, to + room }, flags);

	if (error) {
		empty(heap, slot, room);
		return error;
	}
	vmsi_count(&heap->counts.moves, 1);
	vmsi_count(&heap->counts.moved_bytes, length);
	return 0;
}

/*
 *   from  |####++..|           to  |........~~~~~..|   ~: room that it had
 *   from   hole                to  |####++..~~~~~..|
 *   from  |........|
 */
int vmsi_slot_move(struct vms_heap *heap, struct vmsi_slot *from,
		   struct vmsi_slot *to)
{
	const uintptr_t old = vmsi_slot_address(&heap->layout, from);
	const size_t room = vmsi_get(&from->room);
	int error = move_pages(heap, old, room, to, 0);

	if (error)
		return error;
	vmsi_slot_set_room(heap, to, vmsi_max(room, vmsi_get(&to->room)));
	vmsi_set(&to->touched, vmsi_max(vmsi_get(&from->touched),
					vmsi_get(&to->touched)));
	to->from_calloc = from->from_calloc;
	/* Rights and advice that the program gave the memory move with it. */
	vmsi_slot_set_changed(to, vmsi_slot_is_changed(from));
	vmsi_slot_set_changed(from, false);
	atomic_store_explicit(&to->grown,
			      atomic_load_explicit(&from->grown,
						   memory_order_relaxed),
			      memory_order_relaxed);
	empty(heap, from, room);
	return 0;
}

int vmsi_slot_move_block(struct vms_heap *heap, uintptr_t block, size_t length,
			 struct vmsi_slot *to, enum vmsi_left left)
{
	const struct vmsi_slot *from =
		vmsi_slot_of(vmsi_class_of(&heap->layout, block), block);
	const size_t bytes = pages_of(length);
	/* The host would go on counting locked memory that stays mapped. */
	int error = move_pages(heap, block, bytes, to,
			       left == VMSI_LEAVE_ZERO ? MREMAP_DONTUNMAP : 0);

	if (error)
		return error;
	/* With equal advice the host merges it with what follows. */
	if (from->small_pages != to->small_pages)
		advise(heap, to,
		       vmsi_slot_address(&heap->layout, to),
		       bytes);
	vmsi_slot_set_room(heap, to, vmsi_max(bytes, vmsi_get(&to->room)));
	vmsi_set(&to->touched, vmsi_max(bytes, vmsi_get(&to->touched)));
	return 0;
}
