/* SPDX-License-Identifier: MIT */
#include "pool/slots.h"

#include <vmspace/mapping.h>

#include "base/hot.h"
#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"

/* --- queues ---------------------------------------------------------------------------------- */

static void note_coming(struct vms_pool *pool, uint32_t number)
{
	if (pool->trail >= pool->made)
		pool->trail = 0;
	pool->slots[pool->trail++].came = number;
}

uint32_t vmsi_queue_coming(const struct vms_pool *pool, uint32_t place)
{
	const uint32_t count = pool->queues[VMSI_SMALL].count;
	uint32_t at = pool->trail + pool->made - count + place;

	if (place >= count)
		return VMSI_NO_SLOT;
	if (at >= pool->made)
		at -= pool->made;
	return pool->slots[at].came;
}

VMSI_HOT
void vmsi_queue_append(struct vms_pool *pool, enum vmsi_queue_name name, uint32_t number)
{
	struct vmsi_queue *queue = &pool->queues[name];
	struct vmsi_page_slot *slot = &pool->slots[number];

	atomic_store_explicit(&slot->queue, name, memory_order_relaxed);
	slot->next = VMSI_NO_SLOT;
	slot->previous = queue->last;
	if (queue->count++)
		pool->slots[queue->last].next = number;
	else
		queue->first = number;
	queue->last = number;
	if (name == VMSI_SMALL)
		note_coming(pool, number);
}

void vmsi_queue_prepend(struct vms_pool *pool, enum vmsi_queue_name name, uint32_t number)
{
	struct vmsi_queue *queue = &pool->queues[name];
	struct vmsi_page_slot *slot = &pool->slots[number];

	atomic_store_explicit(&slot->queue, name, memory_order_relaxed);
	slot->next = queue->first;
	if (queue->count++)
		pool->slots[queue->first].previous = number;
	else
		queue->last = number;
	queue->first = number;
}

VMSI_HOT
void vmsi_queue_remove(struct vms_pool *pool, uint32_t number)
{
	struct vmsi_page_slot *slot = &pool->slots[number];
	struct vmsi_queue *queue = &pool->queues[vmsi_queue_of(pool, number)];

	/* The first leaves without a look at the next one, which is another page of records. */
	if (queue->first == number) {
		queue->first = slot->next;
	} else {
		pool->slots[slot->previous].next = slot->next;
		if (queue->last == number)
			queue->last = slot->previous;
		else
			pool->slots[slot->next].previous = slot->previous;
	}
	if (--queue->count == 0)
		queue->first = queue->last = VMSI_NO_SLOT;
}

/* --- slots ------------------------------------------------------------------------------------ */

static uint32_t first_of(struct vms_pool *pool, enum vmsi_queue_name name)
{
	const uint32_t number = pool->queues[name].first;

	vmsi_queue_remove(pool, number);
	return number;
}

/*
 * Where frames have been given back one by one, the kernel would fill the places of the
 * missing ones in its own time to make huge pages (khugepaged), beyond the RAM. So there
 * are no new huge pages until all frames are there again. A pool with snapshots has none
 * at all (layout.c).
 */
static void advise_frames(struct vms_pool *pool, bool has_gaps)
{
	if (vmsi_pool_has(pool, VMS_POOL_ADDRESSED) || pool->snapshots.is_wanted ||
	    pool->has_gaps == has_gaps)
		return;
	if (vmsi_host.madvise((uintptr_t)pool->view.memory, pool->memory_bytes,
			      has_gaps ? MADV_NOHUGEPAGE : MADV_HUGEPAGE) == 0)
		pool->has_gaps = has_gaps;
}

static uint32_t take_unmade(struct vms_pool *pool)
{
	const uint32_t number = first_of(pool, VMSI_UNMADE);

	if (!pool->queues[VMSI_UNMADE].count)
		advise_frames(pool, false);
	return number;
}

VMSI_HOT
uint32_t vmsi_room_find(struct vms_pool *pool)
{
	if (pool->queues[VMSI_FREE].count)
		return first_of(pool, VMSI_FREE);
	if (pool->queues[VMSI_UNMADE].count)
		return take_unmade(pool);
	return pool->made++;
}

VMSI_HOT
void vmsi_room_name(struct vms_pool *pool, uint32_t number, uint64_t page)
{
	struct vmsi_page_slot *slot = &pool->slots[number];

	atomic_store_explicit(&slot->page, page, memory_order_relaxed);
	atomic_store_explicit(&slot->first_lsn, VMSI_NO_LSN, memory_order_relaxed);
	atomic_store_explicit(&slot->last_lsn, 0, memory_order_relaxed);
}

VMSI_HOT
uint32_t vmsi_room_take(struct vms_pool *pool, uint64_t page)
{
	const uint32_t window = pool->limit - pool->limit / 10;
	uint32_t number;

	if (!vmsi_room_has_room(pool))
		return VMSI_NO_SLOT;
	number = vmsi_room_find(pool);
	vmsi_room_name(pool, number, page);
	if (vmsi_ghost_take(&pool->ghost, page, window)) {
		pool->ghost_hits++;
		vmsi_queue_append(pool, VMSI_MAIN, number);
	} else {
		vmsi_queue_append(pool, VMSI_SMALL, number);
	}
	return number;
}

int vmsi_room_drop_range(const struct vms_pool *pool, struct vmsi_range range)
{
	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return vmsi_pager_take(&pool->pager, range);
	return (int)vmsi_host.madvise(range.start, vmsi_range_length(range), MADV_DONTNEED);
}

/*
 * What the program has locked (mlock(2), mlockall(2)) the kernel does not drop; it says so
 * only when it has dropped what lies before.
 */
static int drop(const struct vms_pool *pool, struct vmsi_range range)
{
	int result = vmsi_room_drop_range(pool, range);

	if (result == -EINVAL &&
	    vmsi_host.munlock(range.start, vmsi_range_length(range)) == 0)
		result = vmsi_room_drop_range(pool, range);
	return result;
}

int vmsi_room_drop_memory(const struct vms_pool *pool, uint64_t page)
{
	const uintptr_t start = (uintptr_t)vmsi_pool_at(pool, page, 0);

	if (!vmsi_pool_has(pool, VMS_POOL_ADDRESSED))
		return 0;
	return drop(pool, (struct vmsi_range){ start, start + pool->page_size });
}

/* Where it fails the memory stays, and is used again with the slot. */
static void give_memory_back(struct vms_pool *pool, uint32_t number)
{
	const uintptr_t start = (uintptr_t)pool->view.memory +
		(size_t)number * pool->page_size;

	if (!vmsi_pool_has(pool, VMS_POOL_ADDRESSED))
		(void)drop(pool, (struct vmsi_range){ start, start + pool->page_size });
}

void vmsi_room_give(struct vms_pool *pool, uint32_t number)
{
	atomic_store_explicit(&pool->slots[number].page, VMSI_NO_PAGE,
			      memory_order_relaxed);
	vmsi_queue_remove(pool, number);
	if (vmsi_room_owned(pool) > pool->limit) {
		advise_frames(pool, true);
		give_memory_back(pool, number);
		vmsi_queue_append(pool, VMSI_UNMADE, number);
	} else {
		/* The latest memory that was used is the first to be used again. */
		vmsi_queue_prepend(pool, VMSI_FREE, number);
	}
}

/* --- RAM -------------------------------------------------------------------------------------- */

void vmsi_room_trim(struct vms_pool *pool)
{
	while (vmsi_room_owned(pool) > pool->limit && pool->queues[VMSI_FREE].count)
		vmsi_room_give(pool, pool->queues[VMSI_FREE].first);
}

/*
 * A quarter, unless it was asked for. Where the page cache has the swap file an access costs
 * the same with a half as with a sixteenth (bench/pool/swapped.c, --swap-part).
 */
#define SWAP_PART 4

/* Beyond the least: for the records of pages that are aside. */
#define SWAP_RECORDS ((size_t)64 << 10)

size_t vmsi_room_swap(const struct vms_pool *pool, size_t ram)
{
	if (!pool->swap_least)
		return 0;
	return pool->swap_asked ? pool->swap_asked :
		vmsi_max(ram / SWAP_PART, pool->swap_least + SWAP_RECORDS);
}

void vmsi_room_set_swap_least(struct vms_pool *pool, size_t least, size_t ram)
{
	/* What it was opened with is enough for it, with the records that there are. */
	if (ram > SWAP_RECORDS)
		pool->swap_least = vmsi_max(pool->swap_least,
					    vmsi_min(least, ram - SWAP_RECORDS));
}

/* The record of a slot that was ever made stays. */
uint32_t vmsi_room_limit(const struct vms_pool *pool, size_t ram)
{
	const size_t others = pool->fixed_bytes + pool->prepaid_bytes +
		pool->touched_bytes + vmsi_room_swap(pool, ram);
	const size_t made = pool->made * sizeof(struct vmsi_page_slot);
	size_t limit;

	if (ram < others + made)
		return 0;
	limit = (ram - others) / (pool->page_size + sizeof(struct vmsi_page_slot));
	if (limit < pool->made)
		limit = (ram - others - made) / pool->page_size;
	return (uint32_t)vmsi_min(limit, pool->slots_most - pool->lent_most);
}

int vmsi_room_charge_locked(struct vms_pool *pool, size_t bytes)
{
	uint32_t limit;

	pool->touched_bytes += bytes;
	limit = vmsi_room_limit(pool, pool->ram);
	if (limit < VMSI_SLOTS_LEAST) {
		pool->touched_bytes -= bytes;
		return -ENOMEM;
	}
	pool->limit = limit;
	vmsi_room_trim(pool);
	return 0;
}

void vmsi_room_uncharge_bytes(struct vms_pool *pool, size_t bytes)
{
	pool->touched_bytes -= bytes;
	pool->limit = vmsi_room_limit(pool, pool->ram);
}

int vmsi_room_charge_bytes(struct vms_pool *pool, size_t bytes)
{
	int error;

	vmsi_latch_acquire(&pool->lock);
	error = vmsi_room_charge_locked(pool, bytes);
	vmsi_latch_release(&pool->lock);
	return error;
}

/*
 * Whether what is aside is noted in another page of the host: one such has what belongs to
 * two pages of words.
 */
static bool needs_places(const struct vms_pool *pool, uint64_t bits, uint64_t bit)
{
	const uint64_t other = bit & UINT64_C(0x5555555555555555) ? bit << 1 : bit >> 1;

	return pool->swap_least && !(bits & other);
}

/* Under the lock. The bits of words that are paid for are not looked at again. */
static int charge_words(struct vms_pool *pool, _Atomic uint64_t *bits, uint64_t bit)
{
	const uint64_t seen = atomic_load(bits);
	int error;

	if (seen & bit)
		return 0;
	error = vmsi_room_charge_locked(
		pool, (needs_places(pool, seen, bit) ? 2 : 1) * vmsi_page_size());
	if (!error)
		atomic_fetch_or(bits, bit);
	return error;
}

/* The host page at a place of words, or of free bits behind them. */
static int charge_place(struct vms_pool *pool, uint64_t place)
{
	_Atomic uint64_t *bits = &pool->touched[place / 64];
	const uint64_t bit = UINT64_C(1) << place % 64;
	int error;

	if (atomic_load_explicit(bits, memory_order_relaxed) & bit)
		return 0;
	vmsi_latch_acquire(&pool->lock);
	error = charge_words(pool, bits, bit);
	vmsi_latch_release(&pool->lock);
	return error;
}

VMSI_HOT
int vmsi_room_charge(struct vms_pool *pool, uint64_t page)
{
	const uint64_t offset = page * sizeof(uint64_t);

	if (offset < pool->prepaid_bytes)
		return 0;
	return charge_place(pool, offset / vmsi_page_size());
}

uint64_t vmsi_room_next_touched(const struct vms_pool *pool, uint64_t page)
{
	const size_t bytes = vmsi_page_size();
	const uint64_t place = page * sizeof(uint64_t) / bytes;
	const uint64_t bits = atomic_load_explicit(&pool->touched[place / 64],
						   memory_order_relaxed) >> place % 64;
	const uint64_t more = bits ? (uint64_t)__builtin_ctzll(bits) : 64 - place % 64;

	if (page * sizeof(uint64_t) < pool->prepaid_bytes || more == 0)
		return page;
	return (place + more) * (bytes / sizeof(uint64_t));
}

int vmsi_room_charge_free_bit(struct vms_pool *pool, uint64_t page)
{
	const uint64_t words = pool->pages_most * sizeof(uint64_t);

	if (page < pool->prepaid_bytes / sizeof(uint64_t))
		return 0;
	return charge_place(pool, words / vmsi_page_size() + 1 +
			    page / 8 / vmsi_page_size());
}
