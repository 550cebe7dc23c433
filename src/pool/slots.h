/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_SLOTS_H
#define VMSI_POOL_SLOTS_H

#include "pool/pool.h"

/*
 * Slots, and the queues that they are in: that of free ones and the two of S3-FIFO
 * (Yang and others, SOSP 2023). A page that comes is put at the end of the small queue,
 * or of the main one if it left lately. evict.c takes from the beginnings. All but
 * what is said to be so is called under the pool's lock.
 */

/* Append a slot to a queue, or put it before all others. */
void vmsi_queue_append(struct vms_pool *pool, enum vmsi_queue_name queue,
		       uint32_t number);
void vmsi_queue_prepend(struct vms_pool *pool, enum vmsi_queue_name queue,
			uint32_t number);
void vmsi_queue_remove(struct vms_pool *pool, uint32_t number);

/*
 * The slot that is at a place of the small queue, most probably, or another that was made;
 * VMSI_NO_SLOT: the queue is not so long.
 */
uint32_t vmsi_queue_coming(const struct vms_pool *pool, uint32_t place);

static inline enum vmsi_queue_name vmsi_queue_of(const struct vms_pool *pool,
						 uint32_t number)
{
	return atomic_load_explicit(&pool->slots[number].queue, memory_order_relaxed);
}

/* The page in a slot; VMSI_NO_PAGE: none. */
static inline uint64_t vmsi_page_of(const struct vms_pool *pool, uint32_t number)
{
	return atomic_load_explicit(&pool->slots[number].page, memory_order_relaxed);
}

/* Slots that have memory: used and free ones, but for those that are lent. */
static inline uint32_t vmsi_room_owned(const struct vms_pool *pool)
{
	return pool->made - pool->queues[VMSI_UNMADE].count -
		pool->queues[VMSI_LENT].count;
}

static inline uint32_t vmsi_room_used(const struct vms_pool *pool)
{
	return pool->queues[VMSI_SMALL].count + pool->queues[VMSI_MAIN].count;
}

/* Whether a slot can be taken. */
static inline bool vmsi_room_has_room(const struct vms_pool *pool)
{
	const uint32_t owned = vmsi_room_owned(pool);

	return owned < pool->limit ||
		(owned == pool->limit && pool->queues[VMSI_FREE].count);
}

/* Take a free slot for a page, or make one; VMSI_NO_SLOT: there is none. */
uint32_t vmsi_room_take(struct vms_pool *pool, uint64_t page);

/* A slot that is free, or a new one, whatever the limit; it is in no queue. */
uint32_t vmsi_room_find(struct vms_pool *pool);

/* What is known of a slot when its page comes. */
void vmsi_room_name(struct vms_pool *pool, uint32_t number, uint64_t page);

/* Give a slot back whose page has left, or did not come. */
void vmsi_room_give(struct vms_pool *pool, uint32_t number);

/*
 * Have a page leave its slot that can, as seen; false: its word has changed. Frames leave by
 * one exchange. One with an address of its own is busy until its memory is gone and its word
 * is dropped.
 */
static inline bool vmsi_room_take_out(const struct vms_pool *pool, uint64_t *word,
				      uint64_t seen)
{
	if (vmsi_pool_has(pool, VMS_POOL_ADDRESSED))
		return vmsi_word_take_resident(word, seen);
	return vmsi_word_evict(word, seen, pool->view.version_shift);
}

/*
 * Give back the memory of a page that is busy and not in use, where it is at an address
 * of its own: the slot is only a number then. Returns 0 or -errno.
 */
int vmsi_room_drop_memory(const struct vms_pool *pool, uint64_t page);

/* The same of pages side by side. */
int vmsi_room_drop_range(const struct vms_pool *pool, struct vmsi_range range);

/* Give free slots back that are more than there is room for. */
void vmsi_room_trim(struct vms_pool *pool);

/* How much of so much RAM is for the store of what is aside; 0: there is none. */
size_t vmsi_room_swap(const struct vms_pool *pool, size_t ram);

/*
 * The store is open, with so much RAM, and needs so much at least, more than before: its
 * pieces were made for that RAM. Where a quarter would be less, it keeps that.
 */
void vmsi_room_set_swap_least(struct vms_pool *pool, size_t least, size_t ram);

/* How many slots there is room for in so much RAM. */
uint32_t vmsi_room_limit(const struct vms_pool *pool, size_t ram);

/*
 * Count the RAM of a page's word. Returns 0; -ENOMEM if that leaves too little for
 * pages, and nothing is counted.
 */
int vmsi_room_charge(struct vms_pool *pool, uint64_t page);

/* The same of the bit that says whether a page is free. */
int vmsi_room_charge_free_bit(struct vms_pool *pool, uint64_t page);

/* The same, of so many bytes of other records, without the lock. */
int vmsi_room_charge_bytes(struct vms_pool *pool, size_t bytes);

/* The same under the pool's lock; and no more, under it, too. */
int vmsi_room_charge_locked(struct vms_pool *pool, size_t bytes);
void vmsi_room_uncharge_bytes(struct vms_pool *pool, size_t bytes);

/* The first page from one on whose word may have been used. Without the lock. */
uint64_t vmsi_room_next_touched(const struct vms_pool *pool, uint64_t page);

#endif
