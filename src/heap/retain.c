/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include <vmspace/mapping.h>

#include "base/reclaim.h"
#include "heap/attributes.h"
#include "heap/bins.h"
#include "heap/state.h"
#include "host/host.h"

#ifndef MADV_FREE
#define MADV_FREE 8
#endif

/*
 * Slots that are free: which one the next block gets, and when the memory of
 * the others goes back.
 */

/* Ages are looked at so often, at most. */
#define LOOK_EVERY 100

/* So much may be retained whatever is used. */
#define RETAIN_LEAST ((size_t)64 << 20)

/*
 * The memory that a growing block may take over, in its own size. It asks again
 * as it grows; but not for less than twice what it has.
 */
#define GROWTH_FACTOR 512
#define WARMTH_FACTOR 2

/* --- the retained --------------------------------------------------------- */

/* Most are the newest. */
static void age_add(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_slot *after = heap->newest;

	while (after && after->freed_at > slot->freed_at)
		after = after->older;
	slot->older = after;
	slot->newer = after ? after->newer : heap->oldest;
	*(after ? &after->newer : &heap->oldest) = slot;
	*(slot->newer ? &slot->newer->older : &heap->newest) = slot;
}

static void age_remove(struct vms_heap *heap, struct vmsi_slot *slot)
{
	*(slot->older ? &slot->older->newer : &heap->oldest) = slot->newer;
	*(slot->newer ? &slot->newer->older : &heap->newest) = slot->older;
}

/* Remember the most that was used; by and by less of it. */
static void note_used(struct vms_heap *heap)
{
	size_t used = vmsi_get(&heap->used);

	if (used > vmsi_get(&heap->used_lately))
		vmsi_set(&heap->used_lately, used);
}

static void forget_used(struct vms_heap *heap)
{
	size_t used = vmsi_get(&heap->used);
	size_t lately = vmsi_get(&heap->used_lately);

	if (lately > used)
		vmsi_set(&heap->used_lately, lately - (lately - used) / 32);
}

/* A program that uses little is not to hold much that it does not use. */
static size_t retain_limit(const struct vms_heap *heap)
{
	/* Memory that is locked is needed for what is in use. */
	if (vmsi_heap_get_locking(heap))
		return 0;
	return vmsi_min(heap->retain, vmsi_max(vmsi_get(&heap->used_lately),
					       RETAIN_LEAST));
}

/* Out of the lists, to be changed by the calling thread. */
static void withdraw(struct vms_heap *heap, struct vmsi_slot_class *class,
		     struct vmsi_slot *slot)
{
	vmsi_bin_remove(&class->bins[slot->plain], slot);
	age_remove(heap, slot);
	vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	atomic_fetch_sub_explicit(&heap->retained, vmsi_get(&slot->touched),
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&heap->used, vmsi_get(&slot->room),
				  memory_order_relaxed);
}

static void retain(struct vms_heap *heap, struct vmsi_slot_class *class,
		   struct vmsi_slot *slot)
{
	vmsi_bin_add(&class->bins[slot->plain], slot);
	age_add(heap, slot);
	vmsi_slot_set_use(slot, VMSI_SLOT_RETAINED);
	atomic_fetch_add_explicit(&heap->retained, vmsi_get(&slot->touched),
				  memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->used, vmsi_get(&slot->room),
				  memory_order_relaxed);
}

/* --- surplus -------------------------------------------------------------- */

/* After this the memory may be given back at any time. */
static void list_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	age_add(heap, slot);
	atomic_fetch_add_explicit(&heap->retained, vmsi_get(&slot->surplus),
				  memory_order_relaxed);
	vmsi_lock_release(&heap->lock);
}

/* Under both locks. */
static void unlist_surplus(struct vms_heap *heap, struct vmsi_slot *slot)
{
	age_remove(heap, slot);
	atomic_fetch_sub_explicit(&heap->retained, vmsi_get(&slot->surplus),
				  memory_order_relaxed);
}

/* A slot of the list of ages, whatever of it is there. Likewise. */
static void withdraw_any(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (vmsi_get(&slot->surplus))
		unlist_surplus(heap, slot);
	else
		withdraw(heap, vmsi_class_of_slot(heap, slot), slot);
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
	list_surplus(heap, slot);
}

/* What is more than the limit with a surplus that was withdrawn. */
static size_t excess_with(const struct vms_heap *heap, size_t surplus,
			  size_t limit)
{
	const size_t retained = vmsi_get(&heap->retained) + surplus;

	return retained > limit ? retained - limit : 0;
}

/*
 * Of a surplus that was withdrawn its end, so many bytes or more; under the lock.
 * Returns the bytes; 0: the host keeps it.
 */
static size_t give_back_surplus(struct vms_heap *heap, struct vmsi_slot *slot,
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
		list_surplus(heap, slot);
		return 0;
	}
	/* It is as new then, and nobody else's. */
	if (gave == VMSI_GAVE_PAGES)
		vmsi_slot_set_room(heap, slot, end);
	vmsi_count(&heap->counts.given_back, end - from);
	set_surplus(slot, from - room);
	if (from > room)
		list_surplus(heap, slot);
	return end - from;
}

/* --- take ----------------------------------------------------------------- */

/*
 * For a block: the smallest memory that holds it, or else the largest that does
 * not; but none of which the block would leave most unused, for that would
 * neither serve another block nor go back.
 */
static struct vmsi_slot *retained_for_block(struct vmsi_bins *bins, size_t bytes)
{
	unsigned bin = vmsi_bin_filled_from(bins, vmsi_bin_of(bytes) + 1);

	if (bin < VMSI_HEAP_BINS &&
	    vmsi_get(&bins->first[bin]->touched) <= 2 * bytes)
		return bins->first[bin];
	bin = vmsi_bin_filled_below(bins, vmsi_bin_of(bytes) + 1);
	return bin < VMSI_HEAP_BINS ? bins->first[bin] : NULL;
}

/*
 * For a block that grows: as much memory as there is in one slot, but not very
 * many times what it has come to. It may grow no further, and what is left of
 * the memory serves no other block while it lives.
 */
static struct vmsi_slot *retained_for_growth(struct vmsi_bins *bins,
					     size_t bytes, size_t least)
{
	const unsigned most = vmsi_bin_of(GROWTH_FACTOR * bytes);
	const unsigned bin = vmsi_bin_filled_below(bins, most);

	return bin < VMSI_HEAP_BINS && bin > vmsi_bin_of(least) ?
		bins->first[bin] : NULL;
}

/*
 * For a block of which it is not known whether it will be filled: memory that
 * holds it, with huge pages or without, or else the most that there is. Huge
 * pages that are there already cost it nothing.
 */
static struct vmsi_slot *retained_of_any_pages(struct vmsi_slot_class *class,
					       size_t bytes)
{
	struct vmsi_slot *huge = retained_for_block(&class->bins[0], bytes);
	struct vmsi_slot *small = retained_for_block(&class->bins[1], bytes);

	if (!huge || !small)
		return huge ? huge : small;
	if (vmsi_get(&huge->touched) >= bytes)
		return huge;
	return vmsi_get(&small->touched) > vmsi_get(&huge->touched) ? small :
								      huge;
}

static bool is_for_growth(enum vmsi_purpose purpose)
{
	return purpose == VMSI_FOR_GROWTH || purpose == VMSI_FOR_WARMTH;
}

static struct vmsi_slot *unused_slot(struct vmsi_slot_class *class)
{
	struct vmsi_slot *slot = class->unused;

	if (slot)
		class->unused = slot->next;
	else if (class->begun < class->count)
		slot = &class->slots[class->begun++];
	if (slot)
		vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	return slot;
}

static struct vmsi_slot *take_retained(struct vms_heap *heap,
				       struct vmsi_slot_class *class,
				       size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_bins *bins = &class->bins[purpose == VMSI_FOR_ZEROES &&
					      heap->huge_pages];
	struct vmsi_slot *slot;

	if (purpose == VMSI_FOR_WARMTH)
		slot = retained_for_growth(bins, bytes, WARMTH_FACTOR * bytes);
	else if (purpose == VMSI_FOR_GROWTH)
		slot = retained_for_growth(bins, bytes, bytes);
	else if (purpose == VMSI_FOR_BLOCK)
		slot = retained_of_any_pages(class, bytes);
	else
		slot = retained_for_block(bins, bytes);
	if (slot)
		withdraw(heap, class, slot);
	return slot;
}

/* Any retained slot, the one with the least memory first. */
static struct vmsi_slot *take_any(struct vms_heap *heap,
				  struct vmsi_slot_class *class)
{
	for (int plain = 0; plain < 2; plain++) {
		struct vmsi_bins *bins = &class->bins[plain];
		unsigned bin = vmsi_bin_filled_from(bins, 0);
		struct vmsi_slot *slot;

		if (bin == VMSI_HEAP_BINS)
			continue;
		slot = bins->first[bin];
		withdraw(heap, class, slot);
		return slot;
	}
	return NULL;
}

static struct vmsi_slot *take(struct vms_heap *heap, size_t addresses,
			      size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot_class *end = heap->classes + VMSI_HEAP_CLASSES;
	struct vmsi_slot_class *first = heap->classes;
	struct vmsi_slot *slot = NULL;

	while (first < end && addresses > vmsi_slot_capacity(first))
		first++;
	/* What grows may go far beyond what holds it now. */
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		if (class == first || is_for_growth(purpose))
			slot = take_retained(heap, class, bytes, purpose);
	if (purpose == VMSI_FOR_WARMTH)
		return slot;
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		slot = unused_slot(class);
	/* Rather one that does not fit well than none. */
	for (struct vmsi_slot_class *class = first; !slot && class < end; class++)
		slot = take_any(heap, class);
	return slot;
}

static struct vmsi_slot *take_locked(struct vms_heap *heap, size_t addresses,
				     size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot;

	vmsi_lock_acquire(&heap->lock);
	slot = take(heap, addresses, bytes, purpose);
	vmsi_lock_release(&heap->lock);
	return slot;
}

/* A slot that could not be mapped anew: it is tried again when all is collected. */
static void put_lost(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	slot->next = heap->lost;
	heap->lost = slot;
	vmsi_lock_release(&heap->lock);
}

/*
 * A thread may have retained a slot while another one began to lock memory. What
 * is to be locked begins without memory. NULL: the host keeps it.
 */
static struct vmsi_slot *empty_or_lose(struct vms_heap *heap,
				       struct vmsi_slot *slot)
{
	vmsi_slot_give_back(heap, slot, 0);
	if (vmsi_get(&slot->room) == 0)
		return slot;
	slot->lost = true;
	put_lost(heap, slot);
	return NULL;
}

struct vmsi_slot *vmsi_slot_take(struct vms_heap *heap, size_t addresses,
				 size_t bytes, enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot = take_locked(heap, addresses, bytes, purpose);

	/* Runs without a live block may hold some. */
	if (!slot && purpose != VMSI_FOR_WARMTH &&
	    vmsi_heap_has_slots(heap, addresses)) {
		(void)vmsi_heap_collect_all(heap);
		slot = take_locked(heap, addresses, bytes, purpose);
	}
	if (slot && vmsi_get(&slot->room) > 0 && vmsi_heap_locks_new(heap))
		slot = empty_or_lose(heap, slot);
	if (slot) {
		slot->reclaimable = false;
		atomic_store_explicit(&slot->grown, 0, memory_order_relaxed);
		slot->zeroed = false;
		vmsi_set(&slot->size, 0);
	}
	return slot;
}

/* --- put ------------------------------------------------------------------ */

/* A slot without memory and without a trace of what it was used for. */
static void put_unused(struct vms_heap *heap, struct vmsi_slot *slot)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(heap, slot);

	vmsi_slot_set_plain(heap, slot, false);
	vmsi_lock_acquire(&heap->lock);
	vmsi_slot_set_use(slot, VMSI_SLOT_UNUSED);
	slot->next = class->unused;
	class->unused = slot;
	vmsi_lock_release(&heap->lock);
}

/* In its place by age. */
static void put_retained(struct vms_heap *heap, struct vmsi_slot *slot)
{
	vmsi_lock_acquire(&heap->lock);
	retain(heap, vmsi_class_of_slot(heap, slot), slot);
	vmsi_lock_release(&heap->lock);
}

/* Of what more is retained than may be, the oldest is still to go. */
static void put(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t keep = vmsi_align_down(
		vmsi_min(vmsi_get(&slot->touched), retain_limit(heap)),
		vmsi_page_size());

	/*
	 * All others go before a part of the latest. One with a hole has nothing
	 * left when it is mended.
	 */
	if (!slot->lost && (keep == 0 || vmsi_get(&slot->touched) > keep))
		vmsi_slot_give_back(heap, slot, keep);
	if (slot->lost && !vmsi_slot_mend(heap, slot))
		put_lost(heap, slot);
	else if (vmsi_get(&slot->room) == 0)
		put_unused(heap, slot);
	else
		put_retained(heap, slot);
}

/* The oldest slot, if it is to go: too old, or too much is retained. */
static struct vmsi_slot *next_to_go(struct vms_heap *heap, size_t limit,
				    uint64_t before)
{
	struct vmsi_slot *slot;

	vmsi_lock_acquire(&heap->lock);
	slot = heap->oldest;
	if (slot && (vmsi_get(&heap->retained) > limit ||
		     slot->freed_at < before))
		withdraw_any(heap, slot);
	else
		slot = NULL;
	vmsi_lock_release(&heap->lock);
	return slot;
}

/* The charge of a slot and its pages: the host may take the pages only. */
static size_t memory_of(const struct vmsi_slot *slot)
{
	return vmsi_get(&slot->room) + vmsi_get(&slot->touched);
}

/* 0: the host keeps it, because it is locked for instance. */
static size_t give_back_retained(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t had = memory_of(slot);
	size_t given;

	vmsi_slot_give_back(heap, slot, 0);
	given = had - memory_of(slot);
	slot->freed_at = vmsi_heap_now();
	put(heap, slot);
	return given;
}

/* For as long as memory behind a live block is given back, or offered. */
static void lock_surplus(struct vms_heap *heap)
{
	/* A call of the host that fails then has nobody to ask for memory. */
	vmsi_reclaim_forbid();
	vmsi_lock_acquire(&heap->surplus_lock);
}

static void unlock_surplus(struct vms_heap *heap)
{
	vmsi_lock_release(&heap->surplus_lock);
	vmsi_reclaim_allow();
}

static size_t give_back_oldest(struct vms_heap *heap, size_t limit,
			       uint64_t before)
{
	struct vmsi_slot *slot;
	size_t surplus, given = 0;

	lock_surplus(heap);
	slot = next_to_go(heap, limit, before);
	surplus = slot ? vmsi_get(&slot->surplus) : 0;
	if (surplus)
		given = give_back_surplus(heap, slot, slot->freed_at < before ?
			surplus : excess_with(heap, surplus, limit));
	unlock_surplus(heap);
	if (slot && !surplus)
		given = give_back_retained(heap, slot);
	return given;
}

static size_t trim(struct vms_heap *heap, size_t limit, uint64_t before)
{
	size_t bytes = 0, given;

	while ((given = give_back_oldest(heap, limit, before)))
		bytes += given;
	return bytes;
}

/* A block that had little of the memory does not make it younger, nor used. */
static void end_use(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t had = vmsi_get(&slot->room);

	note_used(heap);
	vmsi_slot_take_surplus(heap, slot);
	if (had >= vmsi_get(&slot->room) / 2)
		slot->freed_at = vmsi_heap_now();
	/* What is retained anew is not; what was a surplus may have been. */
	slot->reclaimable = false;
}

void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot)
{
	end_use(heap, slot);
	vmsi_slot_renew(heap, slot);
	put(heap, slot);
	if (vmsi_get(&heap->retained) > retain_limit(heap))
		(void)trim(heap, retain_limit(heap), 0);
}

/* --- age ------------------------------------------------------------------ */

uint64_t vmsi_heap_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* When what has just reached an age was freed. */
static uint64_t time_before(const struct vms_heap *heap, uint64_t now,
			    unsigned age)
{
	if (age == VMS_HEAP_NEVER ||
	    now - atomic_load_explicit(&heap->born, memory_order_relaxed) < age)
		return 0;
	return now - age;
}

/* A slot whose memory the host may have, but was not told of it. */
static struct vmsi_slot *next_reclaimable(struct vms_heap *heap, uint64_t before)
{
	struct vmsi_slot *slot;

	vmsi_lock_acquire(&heap->lock);
	for (slot = heap->oldest; slot; slot = slot->newer)
		if (slot->freed_at >= before || !slot->reclaimable)
			break;
	if (slot && slot->freed_at < before)
		withdraw_any(heap, slot);
	else
		slot = NULL;
	vmsi_lock_release(&heap->lock);
	return slot;
}

static void offer(struct vms_heap *heap, struct vmsi_slot *slot, size_t from,
		  size_t length)
{
	const uintptr_t start =
		vmsi_slot_start(vmsi_class_of_slot(heap, slot), slot);

	(void)vms_madvise(heap->space, (void *)(start + from), length,
			  MADV_FREE);
	slot->reclaimable = true;
}

/* Returns whether there was any. */
static bool offer_oldest(struct vms_heap *heap, uint64_t before)
{
	struct vmsi_slot *slot;
	size_t surplus;

	lock_surplus(heap);
	slot = next_reclaimable(heap, before);
	surplus = slot ? vmsi_get(&slot->surplus) : 0;
	if (surplus) {
		offer(heap, slot, vmsi_get(&slot->room), surplus);
		list_surplus(heap, slot);
	}
	unlock_surplus(heap);
	if (slot && !surplus) {
		offer(heap, slot, 0, vmsi_get(&slot->room));
		put_retained(heap, slot);
	}
	return slot != NULL;
}

static void offer_old(struct vms_heap *heap, uint64_t before)
{
	while (offer_oldest(heap, before))
		;
}

static void look(struct vms_heap *heap, uint64_t now)
{
	forget_used(heap);
	offer_old(heap, time_before(heap, now, heap->reclaimable_after));
	now = time_before(heap, now, heap->give_back_after);
	if (now == 0)
		return;
	(void)trim(heap, SIZE_MAX, now);
	(void)vmsi_runs_collect(heap, now);
}

void vmsi_heap_age(struct vms_heap *heap, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&heap->looked_at,
					     memory_order_relaxed);

	if (now - last >= LOOK_EVERY && vmsi_get(&heap->retained) > 0 &&
	    atomic_compare_exchange_strong(&heap->looked_at, &last, now))
		look(heap, now);
}

static void mend_lost(struct vms_heap *heap)
{
	struct vmsi_slot *slot, *next;

	vmsi_lock_acquire(&heap->lock);
	slot = heap->lost;
	heap->lost = NULL;
	vmsi_lock_release(&heap->lock);
	for (; slot; slot = next) {
		next = slot->next;
		put(heap, slot);
	}
}

size_t vmsi_heap_collect_all(struct vms_heap *heap)
{
	size_t bytes;

	mend_lost(heap);
	bytes = trim(heap, 0, UINT64_MAX);
	return bytes + vmsi_runs_collect(heap, UINT64_MAX);
}

size_t vms_heap_collect(vms_heap *heap, unsigned flags)
{
	const uint64_t before = atomic_load(&heap->counts.given_back);
	const int saved = errno;

	if (flags & VMS_HEAP_COLLECT_ALL)
		(void)vmsi_heap_collect_all(heap);
	else
		look(heap, vmsi_heap_now());
	vmsi_heap_verify(heap);
	errno = saved;
	return (size_t)(atomic_load(&heap->counts.given_back) - before);
}

/* --- invariants ----------------------------------------------------------- */

static const char *check_bins(const struct vms_heap *heap, size_t *count,
			      size_t *bytes)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++)
		for (unsigned j = 0; !wrong && j < 2 * VMSI_HEAP_BINS; j++)
			wrong = vmsi_bin_check(&heap->classes[i].bins[j & 1], j / 2,
					  j & 1, count, bytes);
	return wrong;
}

const char *vmsi_heap_check_retained(struct vms_heap *heap, size_t *bytes)
{
	const struct vmsi_slot *older = NULL;
	size_t binned = 0, aged = 0;
	const char *wrong = check_bins(heap, &binned, bytes);

	if (wrong)
		return wrong;
	for (const struct vmsi_slot *slot = heap->oldest; slot;
	     older = slot, slot = slot->newer) {
		const size_t surplus = vmsi_get(&slot->surplus);

		if (slot->older != older)
			return "H5: the list of ages does not lead back";
		if (surplus && vmsi_slot_use(slot) == VMSI_SLOT_RETAINED)
			return "H4: a retained slot has a surplus";
		*bytes += surplus;
		aged += surplus == 0;
	}
	if (heap->newest != older || aged != binned)
		return "H5: the list of ages has not what the bins have";
	return NULL;
}
