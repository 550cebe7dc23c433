/* SPDX-License-Identifier: MIT */
#include "pool/evict/evict.h"

#include "host/host.h"
#include "pool/evict/leave.h"
#include "pool/slots.h"

/*
 * Eviction, by S3-FIFO. From the beginning of a queue, small while it has a tenth of all:
 * what was used twice since it came goes from small to main, what was used since it was
 * looked at last goes round main again; what was not leaves. What cannot leave goes round
 * its queue.
 *
 * Pages leave in batches. A batch ends where it would turn to main after pages of small
 * have left, or it would throw what is hot out to make room that is not asked for: as
 * many pages as leave come into small. Where nothing of small can leave, and nothing of
 * it can be written, pages of main do.
 */

/* Of a page in the small queue that moves to the main one. */
#define HEAT_OF_MAIN 2

/*
 * Pages of each queue that are gathered from: an eighth of all, but at least and at most so
 * many. The lock is held meanwhile.
 */
#define DEPTH_LEAST 256
#define DEPTH_MOST 4096
#define DEPTH_PART 8

enum verdict { STAYS, LEAVES, LEAVES_DIRTY, IS_DIRTY };

/* --- who leaves -------------------------------------------------------------------------------- */

static enum vmsi_queue_name queue_to_look_at(const struct vms_pool *pool)
{
	const uint32_t small = pool->queues[VMSI_SMALL].count;

	if (!pool->queues[VMSI_MAIN].count)
		return VMSI_SMALL;
	return small && small >= vmsi_room_used(pool) / 10 ? VMSI_SMALL : VMSI_MAIN;
}

/* The page's word names the slot, or somebody is bringing the page in. */
static bool is_in_slot(const struct vms_pool *pool, uint64_t word, uint32_t number)
{
	return (word & VMSI_WORD_RESIDENT) &&
		vmsi_word_slot(word, pool->view.version_shift) == number;
}

/* Whether a page was used enough to stay; if so the slot is put where it belongs. */
static bool stays_by_use(struct vms_pool *pool, uint32_t number, uint64_t *word,
			 uint64_t seen)
{
	const unsigned heat = vmsi_word_heat(seen);
	const bool is_small = vmsi_queue_of(pool, number) == VMSI_SMALL;

	if (heat == 0 || (is_small && heat < HEAT_OF_MAIN))
		return false;
	/* Where it fails it is in use just now, and stays all the more. */
	(void)vmsi_word_set_heat(word, seen, heat - 1);
	vmsi_queue_remove(pool, number);
	vmsi_queue_append(pool, VMSI_MAIN, number);
	return true;
}

static enum verdict judge(struct vms_pool *pool, uint32_t number, bool may_be_dirty)
{
	const uint64_t page = vmsi_page_of(pool, number);
	uint64_t *word = vmsi_pool_word(pool, page);
	const uint64_t seen = vmsi_word_load(word);
	const enum vmsi_queue_name queue = vmsi_queue_of(pool, number);

	if (is_in_slot(pool, seen, number)) {
		if (stays_by_use(pool, number, word, seen))
			return STAYS;
		if (vmsi_word_can_leave(seen) && vmsi_room_take_out(pool, word, seen))
			return LEAVES;
		if (may_be_dirty && vmsi_word_can_leave_dirty(seen) &&
		    vmsi_word_take_resident(word, seen))
			return LEAVES_DIRTY;
	}
	vmsi_queue_remove(pool, number);
	vmsi_queue_append(pool, queue, number);
	return (seen & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)) == VMSI_WORD_DIRTY &&
			vmsi_word_lock(seen) < VMSI_WORD_BUSY ? IS_DIRTY : STAYS;
}

static void note_leaving(struct vms_pool *pool, struct vmsi_leaving *leaving, uint32_t number,
			 bool is_dirty)
{
	const uint64_t page = vmsi_page_of(pool, number);

	/*
	 * Plain pointers leave no trace of use on a page. That it comes back shows it, from
	 * whatever queue it has gone.
	 */
	if (vmsi_queue_of(pool, number) == VMSI_SMALL || vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		vmsi_ghost_add(&pool->ghost, page);
	leaving->pages[leaving->count++] = (struct vmsi_leaver){
		.page = page,
		.slot = number,
		.is_dirty = is_dirty,
	};
	leaving->dirty += is_dirty;
	if (!vmsi_pool_has(pool, VMS_POOL_ADDRESSED)) {
		vmsi_room_give(pool, number);
	} else {
		/* Out of the way until its memory is gone. */
		vmsi_queue_remove(pool, number);
		vmsi_queue_append(pool, VMSI_MAIN, number);
	}
}

/* At most a sixteenth of all, if there are few; more if there are too many slots. */
static size_t batch_of(const struct vms_pool *pool)
{
	const uint32_t owned = vmsi_room_owned(pool);

	if (owned > pool->limit)
		return vmsi_min(owned - pool->limit, VMSI_EVICT_BATCH);
	return vmsi_max(vmsi_min(pool->limit / 16, VMSI_EVICT_BATCH), 1);
}

/*
 * What is looked at in a queue has been asked for so many looks before, so that it is in
 * the caches by then: queues and pages are in no order in memory. A slot is asked for twice
 * as early, since it tells the page. Of the main queue only the next slot is known.
 */
#define AHEAD 8u

/* Ask for the word of a slot's page, and for where it may be noted. */
static void ask_for_page(const struct vms_pool *pool, uint32_t number)
{
	const uint64_t page = vmsi_page_of(pool, number);

	if (page == VMSI_NO_PAGE)
		return;
	__builtin_prefetch(vmsi_pool_word(pool, page), 1);
	vmsi_ghost_prefetch(&pool->ghost, page);
}

static void ask_for_slot(const struct vms_pool *pool, uint32_t number)
{
	__builtin_prefetch(&pool->slots[number], 1);
}

/* What comes at a place of the small queue. */
static void ask_for(const struct vms_pool *pool, uint32_t place,
		    void (*ask)(const struct vms_pool *, uint32_t))
{
	const uint32_t number = vmsi_queue_coming(pool, place);

	if (number != VMSI_NO_SLOT)
		ask(pool, number);
}

static void look_ahead(const struct vms_pool *pool, enum vmsi_queue_name name)
{
	const uint32_t first = pool->queues[name].first;

	if (name == VMSI_SMALL) {
		ask_for(pool, 2 * AHEAD, ask_for_slot);
		ask_for(pool, AHEAD, ask_for_page);
	} else if (pool->slots[first].next != VMSI_NO_SLOT) {
		ask_for_slot(pool, pool->slots[first].next);
	}
}

/* The same of all that is to be looked at before what the first look asks for. */
static void begin_to_look(const struct vms_pool *pool)
{
	for (uint32_t i = 0; i < 2 * AHEAD; i++)
		ask_for(pool, i, ask_for_slot);
	for (uint32_t i = 0; i < AHEAD; i++)
		ask_for(pool, i, ask_for_page);
}

/*
 * Looks at small without a page that left or moved on. After as many as it has pages,
 * nothing of it can leave just now: all are fixed, or dirty, or on their way.
 */
struct vain {
	uint32_t looks;
};

static bool is_in_vain(const struct vms_pool *pool, const struct vain *vain)
{
	return vain->looks > 0 && vain->looks >= pool->queues[VMSI_SMALL].count;
}

static void note_look(const struct vms_pool *pool, struct vain *vain, uint32_t number,
		      enum verdict verdict)
{
	if (verdict == LEAVES || verdict == LEAVES_DIRTY)
		vain->looks = 0;
	else if (vmsi_queue_of(pool, number) == VMSI_SMALL)
		vain->looks++;
}

/* The lock is given up after so many looks, for those who miss meanwhile. */
#define LOOKS_AT_ONCE 512u

/* How far a call has come. */
struct search {
	enum vmsi_queue_name first;
	size_t looks;      /* that are left */
	struct vain vain;
};

/* Round both queues as often as a page can be hot, at most. */
static struct search begin_search(const struct vms_pool *pool)
{
	return (struct search){
		.first = queue_to_look_at(pool),
		.looks = (size_t)vmsi_room_used(pool) * 4 + 4,
	};
}

/*
 * What is hot leaves only where room is asked for, and after what is dirty was written. Of
 * pages that plain pointers use nothing is known to be hot, and where one call drops them all,
 * to have few of them leave costs nearly as much as a batch.
 */
static bool goes_on(const struct vms_pool *pool)
{
	return vmsi_pool_has(pool, VMS_POOL_TRANSPARENT) &&
		vmsi_pager_takes_many(&pool->pager);
}

/* Returns whether there is more to be looked at. */
static bool choose(struct vms_pool *pool, struct search *search, struct vmsi_leaving *leaving,
		   struct vmsi_batch *dirty)
{
	const size_t most = batch_of(pool);
	const enum vmsi_queue_name first = search->first;
	const size_t left = search->looks - vmsi_min(search->looks, LOOKS_AT_ONCE);

	if (first == VMSI_SMALL)
		begin_to_look(pool);
	for (; search->looks > left; search->looks--) {
		const bool turns = is_in_vain(pool, &search->vain);
		const enum vmsi_queue_name name = turns && pool->queues[VMSI_MAIN].count ?
			VMSI_MAIN : queue_to_look_at(pool);
		const uint32_t number = pool->queues[name].first;
		enum verdict verdict;

		if ((turns || (name != first && !goes_on(pool))) &&
		    (leaving->count || (dirty && dirty->count)))
			return false;
		look_ahead(pool, name);
		verdict = judge(pool, number, leaving->dirty < leaving->dirty_most);
		note_look(pool, &search->vain, number, verdict);
		if (verdict == LEAVES || verdict == LEAVES_DIRTY)
			note_leaving(pool, leaving, number, verdict == LEAVES_DIRTY);
		else if (verdict == IS_DIRTY && dirty)
			dirty->pages[dirty->count++] = vmsi_page_of(pool, number);
		if (!vmsi_room_used(pool) || leaving->count >= most || vmsi_batch_is_full(dirty) ||
		    (leaving->dirty && leaving->dirty == leaving->dirty_most))
			return false;
	}
	return left > 0;
}

/* --- calls ---------------------------------------------------------------------------------------- */

int vmsi_evict(struct vms_pool *pool, struct vmsi_batch *dirty)
{
	struct vmsi_leaving leaving;
	struct search search;

	leaving.count = leaving.dirty = leaving.stayed = 0;
	leaving.dirty_most = dirty && vmsi_outlet_is_open(&pool->outlet) ?
		pool->outlet.most : 0;
	vmsi_latch_acquire(&pool->lock);
	search = begin_search(pool);
	while (vmsi_room_used(pool) && choose(pool, &search, &leaving, dirty)) {
		vmsi_latch_release(&pool->lock);
		(void)vmsi_host.yield();
		vmsi_latch_acquire(&pool->lock);
	}
	pool->evictions += leaving.count;
	vmsi_latch_release(&pool->lock);
	if (leaving.count && vmsi_pool_has(pool, VMS_POOL_ADDRESSED))
		return vmsi_evict_leave(pool, &leaving, dirty);
	return (int)leaving.count;
}

static void gather_of(struct vms_pool *pool, enum vmsi_queue_name queue,
		      struct vmsi_batch *dirty, uint32_t depth)
{
	uint32_t number = pool->queues[queue].first;

	for (; depth && number != VMSI_NO_SLOT && !vmsi_batch_is_full(dirty); depth--) {
		const uint64_t page = vmsi_page_of(pool, number);
		const uint64_t word = vmsi_word_load(vmsi_pool_word(pool, page));

		if (is_in_slot(pool, word, number) &&
		    (word & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)) == VMSI_WORD_DIRTY)
			dirty->pages[dirty->count++] = page;
		number = pool->slots[number].next;
	}
}

void vmsi_evict_gather(struct vms_pool *pool, struct vmsi_batch *dirty)
{
	uint32_t depth;

	dirty->count = 0;
	vmsi_latch_acquire(&pool->lock);
	depth = (uint32_t)vmsi_min(vmsi_max(pool->limit / DEPTH_PART, DEPTH_LEAST),
				   DEPTH_MOST);
	gather_of(pool, VMSI_SMALL, dirty, depth);
	gather_of(pool, VMSI_MAIN, dirty, depth);
	vmsi_latch_release(&pool->lock);
}
