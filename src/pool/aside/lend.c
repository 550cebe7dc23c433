/* SPDX-License-Identifier: MIT */
#include "pool/aside/lend.h"

#include "pool/slots.h"

/*
 * To find out that nothing can leave, pages are copied and compressed in vain: this is done
 * once for so many pages.
 */
#define LENDS_TOGETHER 64

/* --- whether ------------------------------------------------------------------------------------- */

/* The page of a slot can leave it. It may be on its way out, and have come to another. */
static bool is_idle(const struct vms_pool *pool, uint32_t number, uint64_t word)
{
	return vmsi_word_can_leave(word) &&
		vmsi_word_slot(word, pool->view.version_shift) == number;
}

/* One that nobody uses; VMSI_NO_SLOT: there is none. The oldest comes first. */
static uint32_t find_idle(const struct vms_pool *pool)
{
	uint32_t number = pool->queues[VMSI_LENT].first;

	for (; number != VMSI_NO_SLOT; number = pool->slots[number].next) {
		const uint64_t page = vmsi_page_of(pool, number);

		if (page == VMSI_NO_PAGE ||
		    is_idle(pool, number, vmsi_word_load(vmsi_pool_word(pool, page))))
			break;
	}
	return number;
}

uint32_t vmsi_lend_pages(const struct vms_pool *pool)
{
	uint32_t count = 0;

	for (uint32_t number = pool->queues[VMSI_LENT].first; number != VMSI_NO_SLOT;
	     number = pool->slots[number].next)
		count += vmsi_page_of(pool, number) != VMSI_NO_PAGE;
	return count;
}

bool vmsi_lend_start(struct vms_pool *pool)
{
	bool can_be;

	vmsi_latch_acquire(&pool->lock);
	can_be = pool->queues[VMSI_LENT].count < pool->lent_most ||
		find_idle(pool) != VMSI_NO_SLOT;
	vmsi_latch_release(&pool->lock);
	if (can_be)
		atomic_store_explicit(&pool->lends_left, LENDS_TOGETHER,
				      memory_order_relaxed);
	return can_be;
}

bool vmsi_lend_goes_on(struct vms_pool *pool)
{
	uint32_t left = atomic_load_explicit(&pool->lends_left, memory_order_relaxed);

	while (left && !atomic_compare_exchange_weak_explicit(
			       &pool->lends_left, &left, left - 1, memory_order_relaxed,
			       memory_order_relaxed))
		;
	return left != 0;
}

/* --- to lend ------------------------------------------------------------------------------------- */

/*
 * The page of a slot leaves. Memory at an address of its own is dropped; where the host
 * refuses, it stays, and is used again when the page comes back. false: somebody has it.
 */
static bool take_back(struct vms_pool *pool, uint32_t number)
{
	const uint64_t page = vmsi_page_of(pool, number);
	uint64_t *word, seen;

	if (page == VMSI_NO_PAGE)
		return true;
	word = vmsi_pool_word(pool, page);
	seen = vmsi_word_load(word);
	if (!is_idle(pool, number, seen) || !vmsi_room_take_out(pool, word, seen))
		return false;
	pool->evictions++;
	if (vmsi_pool_has(pool, VMS_POOL_ADDRESSED)) {
		(void)vmsi_room_drop_memory(pool, page);
		vmsi_word_drop(word, pool->view.version_shift);
	}
	return true;
}

static uint32_t take_oldest(struct vms_pool *pool)
{
	const uint32_t number = find_idle(pool);

	if (number == VMSI_NO_SLOT || !take_back(pool, number))
		return VMSI_NO_SLOT;
	vmsi_queue_remove(pool, number);
	return number;
}

uint32_t vmsi_lend_take(struct vms_pool *pool, uint64_t page)
{
	const uint32_t number = pool->queues[VMSI_LENT].count < pool->lent_most ?
		vmsi_room_find(pool) : take_oldest(pool);

	if (number == VMSI_NO_SLOT)
		return number;
	vmsi_room_name(pool, number, page);
	vmsi_queue_append(pool, VMSI_LENT, number);
	return number;
}

/* --- to keep ------------------------------------------------------------------------------------- */

/*
 * Its slot is one of those that the limit counts, and a free one of these, or one that can be
 * made, is to be lent instead.
 */
static void exchange(struct vms_pool *pool, uint32_t number)
{
	const uint32_t instead = pool->queues[VMSI_FREE].first;

	vmsi_queue_remove(pool, number);
	vmsi_queue_append(pool, VMSI_SMALL, number);
	if (vmsi_room_owned(pool) <= pool->limit)
		return;
	vmsi_queue_remove(pool, instead);
	vmsi_queue_prepend(pool, VMSI_LENT, instead);
}

/* A page that is busy, about to leave, is not lent any more. */
int vmsi_lend_keep(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	uint64_t seen = vmsi_word_load(word);

	do {
		if (!(seen & VMSI_WORD_RESIDENT) || !vmsi_word_is_lent(seen) ||
		    vmsi_word_lock(seen) == VMSI_WORD_BUSY)
			return 0;
		if (!vmsi_room_has_room(pool))
			return -ENOBUFS;
	} while (!vmsi_word_swap(word, &seen, seen & ~VMSI_WORD_LENT));
	exchange(pool, (uint32_t)vmsi_word_slot(seen, pool->view.version_shift));
	return 0;
}
