/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_ASIDE_LEND_H
#define VMSI_POOL_ASIDE_LEND_H

#include "pool/pool.h"
#include "pool/slots.h"

/*
 * Slots that are lent. Where pages are put aside, all of the others may be dirty while
 * nothing more can be put there: the swap file is full, or bad. A page that is aside can be
 * read even so, in one of lent_most slots that there are beyond the limit. The page stays
 * aside, and is not dirty: so it can leave at any time, and the slot is lent to the next
 * one. Who wants to change it waits until there is room for it among the others: then the
 * slot is its own, and another one can be lent.
 *
 *   edges of a slot (under the pool's lock), and of the word of its page:
 *
 *              vmsi_lend_take               vmsi_lend_keep
 *   FREE, UNMADE ----------> LENT, word LENT -------------> SMALL, word as others
 *                            |   ^
 *                            +---+ vmsi_lend_take: its page leaves, another one comes
 */

/*
 * Nothing can leave: from now on so many pages are lent a slot at once. false: those who have
 * the pages that are lent keep them all just now.
 */
bool vmsi_lend_start(struct vms_pool *pool);

/* Whether that is so still; one page less from now on. */
bool vmsi_lend_goes_on(struct vms_pool *pool);

/* There may be room. */
static inline void vmsi_lend_stop(struct vms_pool *pool)
{
	atomic_store_explicit(&pool->lends_left, 0, memory_order_relaxed);
}

/* A slot for a page that is busy; VMSI_NO_SLOT: there is none. Under the lock. */
uint32_t vmsi_lend_take(struct vms_pool *pool, uint64_t page);

/*
 * Have the slot of a page that is lent be its own. Returns 0, also where it is not lent
 * (any more); -ENOBUFS where there is no room. Under the lock.
 */
int vmsi_lend_keep(struct vms_pool *pool, uint64_t page);

/* How many pages are in such slots. Under the lock. */
uint32_t vmsi_lend_pages(const struct vms_pool *pool);

/* The bits of the word of a page that comes into a slot. */
static inline uint64_t vmsi_lend_bits(const struct vms_pool *pool, uint32_t slot)
{
	return pool->lent_most && vmsi_queue_of(pool, slot) == VMSI_LENT ?
		VMSI_WORD_LENT : 0;
}

#endif
