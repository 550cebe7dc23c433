/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_MISS_H
#define VMSI_POOL_MISS_H

#include "pool/pool.h"

/*
 * Hold a page, whatever that takes: bring it in, make room for it, wait for others. *word
 * is its word then. Returns 0 or -errno.
 */
int vmsi_hold_page(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold, uint64_t *word);

/*
 * A page is held whose word was so: where it is held for writing, stores to it shall work.
 * Returns 0; -errno, and it is not held any more.
 */
int vmsi_hold_opened(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold,
		     uint64_t word);

/*
 * The page was seen absent and free: make it busy, and give it a slot. Where there is no
 * free slot, one is made, and the page is free meanwhile. Returns 0; -EAGAIN: the word
 * has changed; -errno.
 */
int vmsi_miss_begin(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot);

/* The same, but -ENOBUFS where there is no free slot, and the word may have been changed. */
int vmsi_miss_try(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot);

/*
 * A miss begins: by the host's clock, or 0 where it is not one of those that are timed. To
 * ask for the time twice takes a tenth of what a read from the page cache does.
 */
uint64_t vmsi_miss_clock(struct vms_pool *pool);

/* It has come. */
void vmsi_miss_count(struct vms_pool *pool, uint64_t began);

/* It does not come: as before. */
void vmsi_miss_abort(struct vms_pool *pool, uint64_t page, uint32_t slot);

/*
 * A page was seen in a slot that is lent, and is to be changed: have the slot be its own.
 * AT_ONCE: nothing is written for that, and nothing waited for. Returns -EAGAIN: look
 * again; -ENOSPC, or as vmsi_make_room.
 */
enum vmsi_keep_way { VMSI_KEEP_PATIENTLY, VMSI_KEEP_AT_ONCE };
int vmsi_miss_keep(struct vms_pool *pool, uint64_t page, enum vmsi_keep_way way);

/* Have some pages leave, and write some if need be. Returns 0 or -errno. */
int vmsi_make_room(struct vms_pool *pool);

#endif
