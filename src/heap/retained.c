/* SPDX-License-Identifier: MIT */
#include "heap/retained.h"

#include <time.h>

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "base/reclaim.h"
#include "heap/attributes.h"
#include "heap/bins.h"
#include "heap/heap.h"
#include "heap/marks.h"
#include "host/host.h"

/* So many bytes may be retained even if the program uses less. */
#define RETAIN_LEAST ((size_t)64 << 20)

uint64_t vmsi_heap_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * ages.lock is held over calls on the space. If one of these is refused, it must
 * not have heaps give memory back, since they take the lock too.
 */
static void lock_ages(struct vms_heap *heap)
{
	vmsi_reclaim_forbid();
	vmsi_lock_acquire(&heap->ages.lock);
}

static void unlock_ages(struct vms_heap *heap)
{
	vmsi_lock_release(&heap->ages.lock);
	vmsi_reclaim_allow();
}

/* --- in and out of the lists ---------------------------------------------- */

static bool is_of_free_slot(const struct vmsi_retained *retained)
{
	return retained->from == 0;
}

static struct vmsi_bins *bins_of(struct vms_heap *heap,
				 const struct vmsi_slot *slot)
{
	return &vmsi_class_of_slot(&heap->layout, slot)->bins[slot->small_pages];
}

/* Searches from the newest on, since most of what is added was freed last. */
static void add_by_age(struct vmsi_ages *ages, struct vmsi_retained *retained)
{
	struct vmsi_retained *after = ages->newest;

	while (after && after->freed_at > retained->freed_at)
		after = after->older;
	retained->older = after;
	retained->newer = after ? after->newer : ages->oldest;
	*(after ? &after->newer : &ages->oldest) = retained;
	*(retained->newer ? &retained->newer->older : &ages->newest) = retained;
}

static void remove_by_age(struct vmsi_ages *ages, struct vmsi_retained *retained)
{
	*(retained->older ? &retained->older->newer : &ages->oldest) =
		retained->newer;
	*(retained->newer ? &retained->newer->older : &ages->newest) =
		retained->older;
}

/* Put retained memory in the lists, from where any thread may take it. */
static void list(struct vms_heap *heap, struct vmsi_retained *retained)
{
	struct vmsi_slot *slot = retained->slot;

	vmsi_lock_acquire(&heap->lock);
	add_by_age(&heap->ages, retained);
	vmsi_increase(&heap->ages.retained, retained->touched - retained->from);
	if (is_of_free_slot(retained)) {
		vmsi_bin_add(bins_of(heap, slot), slot);
		vmsi_slot_set_use(slot, VMSI_SLOT_RETAINED);
	}
	vmsi_lock_release(&heap->lock);
}

void vmsi_retained_unlist(struct vms_heap *heap, struct vmsi_retained *retained)
{
	struct vmsi_slot *slot = retained->slot;

	remove_by_age(&heap->ages, retained);
	vmsi_decrease(&heap->ages.retained, retained->touched - retained->from);
	if (is_of_free_slot(retained)) {
		vmsi_bin_remove(bins_of(heap, slot), slot);
		vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	}
}

/* Release: a block's owner reads to without a lock, and then uses the memory. */
static void set_end(struct vmsi_retained *retained, size_t to)
{
	atomic_store_explicit(&retained->to, to, memory_order_release);
}

/* Set to to 0: nothing is retained. A block's owner may then use the addresses. */
static void end(struct vmsi_retained *retained)
{
	retained->reclaimable = false;
	set_end(retained, 0);
}

/* --- from room and to room ------------------------------------------------- */

/* Retain the room of a slot from an offset on. freed_at stays. */
static void retain_from(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t from)
{
	struct vmsi_retained *retained = &slot->retained;

	retained->slot = slot;
	retained->from = from;
	retained->touched = vmsi_get(&slot->touched);
	set_end(retained, vmsi_get(&slot->room));
	vmsi_set(&slot->touched, from);
	vmsi_slot_set_room(heap, slot, from);
	list(heap, retained);
}

void vmsi_retained_use(struct vms_heap *heap, struct vmsi_retained *retained)
{
	struct vmsi_slot *slot = retained->slot;

	vmsi_slot_set_room(heap, slot, vmsi_get(&retained->to));
	vmsi_set(&slot->touched, retained->touched);
	end(retained);
}

void vmsi_slot_take_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_retained *surplus = &slot->retained;

	if (!atomic_load_explicit(&surplus->to, memory_order_acquire))
		return;
	vmsi_lock_acquire(&heap->ages.lock);
	/* Another thread may have given it back meanwhile. */
	if (vmsi_get(&surplus->to)) {
		vmsi_lock_acquire(&heap->lock);
		vmsi_retained_unlist(heap, surplus);
		vmsi_lock_release(&heap->lock);
		vmsi_retained_use(heap, surplus);
	}
	vmsi_lock_release(&heap->ages.lock);
}

void vmsi_slot_leave_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t kept = vmsi_slot_room_to_grow(heap, slot,
						   vmsi_get(&slot->size));

	if (vmsi_get(&slot->touched) <= kept)
		return;
	/* To retain memory that was never touched would save no fault. */
	vmsi_slot_give_back(heap, slot, vmsi_get(&slot->touched));
	retain_from(heap, slot, kept);
}

/* --- slots that are free --------------------------------------------------- */

void vmsi_slot_put_lost(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	slot->next = heap->ages.lost;
	heap->ages.lost = slot;
	vmsi_lock_release(&heap->lock);
}

/* Make a busy slot without memory unused; a lost one is mended first. */
static void put_empty(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(&heap->layout, slot);

	if (slot->lost && !vmsi_slot_mend(heap, slot)) {
		vmsi_slot_put_lost(heap, slot);
		return;
	}
	vmsi_slot_set_small_pages(heap, slot, false);
	vmsi_lock_acquire(&heap->lock);
	vmsi_slot_set_use(slot, VMSI_SLOT_UNUSED);
	slot->next = class->unused;
	class->unused = slot;
	vmsi_lock_release(&heap->lock);
}

static void note_used(struct vms_heap *heap)
{
	const size_t used = vmsi_get(&heap->ages.used);

	if (used > vmsi_get(&heap->ages.used_lately))
		vmsi_set(&heap->ages.used_lately, used);
}

void vmsi_heap_forget_used(struct vms_heap *heap)
{
	const size_t used = vmsi_get(&heap->ages.used);
	const size_t lately = vmsi_get(&heap->ages.used_lately);

	if (lately > used)
		vmsi_set(&heap->ages.used_lately, lately - (lately - used) / 32);
}

/* How much may be retained: no more than the program has used of late. */
static size_t retain_limit(const struct vms_heap *heap)
{
	/* With mlockall, retained memory would use up RLIMIT_MEMLOCK. */
	if (vmsi_heap_get_locking(heap))
		return 0;
	return vmsi_min(heap->ages.most,
			vmsi_max(vmsi_get(&heap->ages.used_lately),
				 RETAIN_LEAST));
}

/* vmsi_slot_put, but the heap may retain more than it may afterwards. */
static void put_untrimmed(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t touched = vmsi_get(&slot->touched);
	const size_t keep = vmsi_align_down(vmsi_min(touched,
						     retain_limit(heap)),
					    vmsi_page_size());

	/* Of a lost slot put_empty maps all anew. */
	if (!slot->lost && (keep == 0 || touched > keep))
		vmsi_slot_give_back(heap, slot, keep);
	if (slot->lost || vmsi_get(&slot->room) == 0)
		put_empty(heap, slot);
	else
		retain_from(heap, slot, 0);
}

void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t room = vmsi_get(&slot->room);

	note_used(heap);
	vmsi_slot_take_surplus(heap, slot);
	/*
	 * A block that used at least half of the memory makes all of it new. One
	 * that used less leaves freed_at, since most of it has been unused longer.
	 */
	if (room >= vmsi_get(&slot->room) / 2)
		slot->retained.freed_at = vmsi_heap_now();
	vmsi_slot_renew(heap, slot);
	put_untrimmed(heap, slot);
	if (vmsi_get(&heap->ages.retained) > retain_limit(heap))
		(void)vmsi_retained_trim(heap, retain_limit(heap), 0);
}

void vmsi_heap_mend_lost(struct vms_heap *heap)
{
	struct vmsi_slot *slot, *next;

	vmsi_lock_acquire(&heap->lock);
	slot = heap->ages.lost;
	heap->ages.lost = NULL;
	vmsi_lock_release(&heap->lock);
	for (; slot; slot = next) {
		next = slot->next;
		put_untrimmed(heap, slot);
	}
}

/* --- giving back ----------------------------------------------------------- */

/*
 * The offset from which on retained memory goes back. All of it goes that is of a
 * free slot, or too old; of another surplus only as much of its end, in whole huge
 * pages, as is retained above the limit.
 */
static size_t first_to_go(const struct vms_heap *heap,
			  const struct vmsi_retained *retained, size_t limit,
			  uint64_t before)
{
	const size_t all = vmsi_get(&heap->ages.retained);
	const size_t excess = all > limit ? all - limit : 0;
	const size_t has = retained->touched - retained->from;

	if (is_of_free_slot(retained) || retained->freed_at < before ||
	    excess >= has)
		return retained->from;
	return vmsi_max(retained->from,
			vmsi_align_down(retained->touched - excess,
					vmsi_huge_page_size()));
}

/*
 * Take the oldest out of the lists, if it is too old or too much is retained, and
 * set from to where it goes back from. NULL: nothing is to go back.
 */
static struct vmsi_retained *next_to_go(struct vms_heap *heap, size_t limit,
					uint64_t before, size_t *from)
{
	struct vmsi_retained *oldest;

	vmsi_lock_acquire(&heap->lock);
	oldest = heap->ages.oldest;
	if (oldest && vmsi_get(&heap->ages.retained) <= limit &&
	    oldest->freed_at >= before)
		oldest = NULL;
	if (oldest) {
		*from = first_to_go(heap, oldest, limit, before);
		vmsi_retained_unlist(heap, oldest);
	}
	vmsi_lock_release(&heap->lock);
	return oldest;
}

/*
 * Give back retained memory, which is in no list, from an offset on, and list what
 * is left. If the host refuses to take pages or charge, freed_at becomes now: else
 * it would stay the oldest, and vmsi_retained_trim would try it again and again.
 */
static size_t give_back(struct vms_heap *heap, struct vmsi_retained *retained,
			size_t from)
{
	struct vmsi_slot *slot = retained->slot;
	const bool whole = from == retained->from;
	const bool is_free = is_of_free_slot(retained);
	const size_t to = vmsi_get(&retained->to);
	const size_t pages = retained->touched > from ?
		retained->touched - from : 0;
	const enum vmsi_gave gave =
		vmsi_slot_give_range_back(heap, slot, from, to);

	if (gave != VMSI_GAVE_NOTHING) {
		retained->touched -= pages;
		vmsi_count(&heap->counts.given_back, pages);
	}
	if (gave != VMSI_GAVE_ALL) {
		retained->freed_at = vmsi_heap_now();
		list(heap, retained);
		return gave == VMSI_GAVE_PAGES ? pages : 0;
	}
	if (!whole) {
		set_end(retained, from);
		list(heap, retained);
	} else {
		end(retained);
		if (is_free)
			put_empty(heap, slot);
	}
	return to - from;
}

/* Returns the bytes; 0: nothing is to go back, or the host refused. */
static size_t give_back_oldest(struct vms_heap *heap, size_t limit,
			       uint64_t before)
{
	struct vmsi_retained *oldest;
	size_t from, bytes = 0;

	lock_ages(heap);
	oldest = next_to_go(heap, limit, before, &from);
	if (oldest)
		bytes = give_back(heap, oldest, from);
	unlock_ages(heap);
	return bytes;
}

size_t vmsi_retained_trim(struct vms_heap *heap, size_t limit, uint64_t before)
{
	size_t bytes = 0, given;

	while ((given = give_back_oldest(heap, limit, before)))
		bytes += given;
	return bytes;
}

/* --- making reclaimable ---------------------------------------------------- */

/* Take the oldest that is not reclaimable out of the lists, if it is old enough. */
static struct vmsi_retained *take_oldest_waiting(struct vms_heap *heap,
						 uint64_t before)
{
	struct vmsi_retained *next;

	vmsi_lock_acquire(&heap->lock);
	next = heap->ages.oldest;
	while (next && next->reclaimable)
		next = next->newer;
	if (next && next->freed_at >= before)
		next = NULL;
	if (next)
		vmsi_retained_unlist(heap, next);
	vmsi_lock_release(&heap->lock);
	return next;
}

static bool make_oldest_reclaimable(struct vms_heap *heap, uint64_t before)
{
	struct vmsi_retained *next;

	lock_ages(heap);
	next = take_oldest_waiting(heap, before);
	if (next) {
		const uintptr_t start = vmsi_slot_address(&heap->layout,
							  next->slot);

		(void)vms_madvise(heap->space, (void *)(start + next->from),
				  vmsi_get(&next->to) - next->from, MADV_FREE);
		next->reclaimable = true;
		list(heap, next);
	}
	unlock_ages(heap);
	return next != NULL;
}

void vmsi_retained_make_reclaimable(struct vms_heap *heap, uint64_t before)
{
	while (make_oldest_reclaimable(heap, before))
		;
}

/* --- invariants ------------------------------------------------------------ */

static const char *check_bins(const struct vms_heap *heap, size_t *count)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++)
		for (unsigned j = 0; !wrong && j < 2 * VMSI_HEAP_BINS; j++)
			wrong = vmsi_bin_check(
				&heap->layout.classes[i].bins[j & 1], j / 2,
				j & 1, count);
	return wrong;
}

static const char *check_one(const struct vmsi_retained *retained)
{
	const struct vmsi_slot *slot = retained->slot;

	if (&slot->retained != retained)
		return "H4: what is retained is not of the slot that it names";
	if (retained->from > retained->touched ||
	    retained->touched > retained->to || retained->from == retained->to)
		return "H4: what is retained has no memory";
	if (vmsi_get(&slot->room) != retained->from)
		return "H4: what is retained does not begin where the room ends";
	if (is_of_free_slot(retained) !=
	    (vmsi_slot_use(slot) == VMSI_SLOT_RETAINED))
		return "H4: a free slot retains a surplus, or a live one all";
	return NULL;
}

const char *vmsi_retained_check(struct vms_heap *heap, size_t *bytes)
{
	const struct vmsi_retained *older = NULL;
	size_t binned = 0, aged = 0;
	const char *wrong = check_bins(heap, &binned);

	for (const struct vmsi_retained *retained = heap->ages.oldest;
	     !wrong && retained; older = retained, retained = retained->newer) {
		if (retained->older != older)
			return "H5: the list of ages does not lead back";
		wrong = check_one(retained);
		*bytes += retained->touched - retained->from;
		aged += is_of_free_slot(retained);
	}
	if (!wrong && (heap->ages.newest != older || aged != binned))
		wrong = "H5: the list of ages has not what the bins have";
	return wrong;
}
