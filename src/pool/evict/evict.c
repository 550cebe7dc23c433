/* SPDX-License-Identifier: MIT */
#include "pool/evict/evict.h"

#include "base/mman.h"
#include "host/host.h"
#include "pool/slots.h"
#include "pool/write/sort.h"

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

enum verdict { STAYS, LEAVES, IS_DIRTY };

/* Those that leave, of one call. */
struct leaving {
	struct leaver {
		uint64_t page;
		uint32_t slot;
		bool stays;      /* its memory could not be dropped */
	} pages[VMSI_EVICT_BATCH];
	size_t count;
};

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

static enum verdict judge(struct vms_pool *pool, uint32_t number)
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
	}
	vmsi_queue_remove(pool, number);
	vmsi_queue_append(pool, queue, number);
	return (seen & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)) == VMSI_WORD_DIRTY &&
			vmsi_word_lock(seen) < VMSI_WORD_BUSY ? IS_DIRTY : STAYS;
}

static void note_leaving(struct vms_pool *pool, struct leaving *leaving, uint32_t number)
{
	const uint64_t page = vmsi_page_of(pool, number);

	/*
	 * Plain pointers leave no trace of use on a page. That it comes back shows it, from
	 * whatever queue it has gone.
	 */
	if (vmsi_queue_of(pool, number) == VMSI_SMALL || vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		vmsi_ghost_add(&pool->ghost, page);
	leaving->pages[leaving->count++] = (struct leaver){ .page = page, .slot = number };
	if (!vmsi_pool_has(pool, VMS_POOL_ADDRESSED)) {
		vmsi_room_give(pool, number);
	} else {
		/* Out of the way until its memory is gone. */
		vmsi_queue_remove(pool, number);
		vmsi_queue_append(pool, VMSI_MAIN, number);
	}
}

static bool is_full(const struct vmsi_batch *dirty)
{
	return dirty && dirty->count == VMSI_WRITE_BATCH;
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
	if (verdict == LEAVES)
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

/* Returns whether there is more to be looked at. */
static bool choose(struct vms_pool *pool, struct search *search, struct leaving *leaving,
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

		/* What is dirty is written before what is hot leaves. */
		if ((name != first || turns) && (leaving->count || (dirty && dirty->count)))
			return false;
		look_ahead(pool, name);
		verdict = judge(pool, number);
		note_look(pool, &search->vain, number, verdict);
		if (verdict == LEAVES)
			note_leaving(pool, leaving, number);
		else if (verdict == IS_DIRTY && dirty)
			dirty->pages[dirty->count++] = vmsi_page_of(pool, number);
		if (!vmsi_room_used(pool) || leaving->count >= most || is_full(dirty))
			return false;
	}
	return left > 0;
}

/* --- memory of pages with an address of theirs ---------------------------------------------------- */

/* The ranges of the pages, joined; they are sorted for that. Returns how many. */
static int join(const struct vms_pool *pool, struct leaving *leaving, struct iovec *parts)
{
	int count = 0;

	vmsi_sort(leaving->pages, leaving->count, sizeof(leaving->pages[0]));
	for (size_t i = 0; i < leaving->count; i++) {
		char *start = vmsi_pool_at(pool, leaving->pages[i].page, 0);

		if (count && start == (char *)parts[count - 1].iov_base +
				parts[count - 1].iov_len)
			parts[count - 1].iov_len += pool->page_size;
		else
			parts[count++] = (struct iovec){ start, pool->page_size };
	}
	return count;
}

static bool drops_many(const struct vms_pool *pool)
{
	return !vmsi_pool_has(pool, VMS_POOL_TRANSPARENT) ||
		vmsi_pager_takes_many(&pool->pager);
}

/*
 * Whether a page that the host has not dropped is there as before. One that comes by faults
 * is, where it is one page of the host: nobody could read it again to its place. What is
 * left of another is taken away when it is brought again.
 */
static bool is_still_there(struct vms_pool *pool, uint64_t page)
{
	bool was_read;

	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return pool->page_size == vmsi_page_size();
	return vmsi_store_read(&pool->store, vmsi_pool_at(pool, page, 0), pool->page_size,
			       page << pool->view.page_shift, &was_read) == 0;
}

/*
 * What the host refuses to drop as a range is dropped page by page. A page that it does not
 * drop even so stays; it is read again, since the host may have dropped some of it.
 */
static int drop_each(struct vms_pool *pool, struct leaving *leaving, size_t place,
		     size_t end)
{
	int error = 0;

	for (; place < end; place++) {
		struct leaver *leaver = &leaving->pages[place];
		const int result = vmsi_room_drop_memory(pool, leaver->page);

		if (result < 0)
			error = result == -EAGAIN ? -ENOMEM : result;
		leaver->stays = result < 0 && is_still_there(pool, leaver->page);
	}
	return error;
}

/*
 * Drop the memory of ranges: by one call, so that other processors are interrupted once,
 * or by one a range.
 */
static int drop_memory(struct vms_pool *pool, struct leaving *leaving)
{
	struct iovec parts[VMSI_EVICT_BATCH];
	const int count = join(pool, leaving, parts);
	size_t page = 0;
	int error = 0;

	if (drops_many(pool) && vmsi_host.madvise_many(parts, count, MADV_DONTNEED) ==
	    (long)(leaving->count * pool->page_size))
		return 0;
	for (int i = 0; i < count; i++) {
		const size_t end = page + parts[i].iov_len / pool->page_size;
		const uintptr_t start = (uintptr_t)parts[i].iov_base;
		const struct vmsi_range range = { start, start + parts[i].iov_len };

		if (vmsi_room_drop_range(pool, range) < 0)
			error = drop_each(pool, leaving, page, end);
		page = end;
	}
	return error;
}

static int drop_addressed(struct vms_pool *pool, struct leaving *leaving)
{
	const int error = drop_memory(pool, leaving);
	int left = 0;

	for (size_t i = 0; i < leaving->count; i++) {
		uint64_t *word = vmsi_pool_word(pool, leaving->pages[i].page);

		if (leaving->pages[i].stays)
			vmsi_word_renew(word, pool->view.version_shift);
		else
			vmsi_word_drop(word, pool->view.version_shift);
	}
	vmsi_latch_acquire(&pool->lock);
	for (size_t i = 0; i < leaving->count; i++)
		if (!leaving->pages[i].stays) {
			vmsi_room_give(pool, leaving->pages[i].slot);
			left++;
		}
	pool->evictions -= leaving->count - (size_t)left;
	vmsi_latch_release(&pool->lock);
	return left ? left : error;
}

/* --- calls ---------------------------------------------------------------------------------------- */

int vmsi_evict(struct vms_pool *pool, struct vmsi_batch *dirty)
{
	struct leaving leaving;
	struct search search;

	leaving.count = 0;
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
		return drop_addressed(pool, &leaving);
	return (int)leaving.count;
}

static void gather_of(struct vms_pool *pool, enum vmsi_queue_name queue,
		      struct vmsi_batch *dirty, uint32_t depth)
{
	uint32_t number = pool->queues[queue].first;

	for (; depth && number != VMSI_NO_SLOT && !is_full(dirty); depth--) {
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
