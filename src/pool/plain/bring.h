/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_BRING_H
#define VMSI_POOL_PLAIN_BRING_H

#include "pool/pool.h"

/*
 * How pages of a pool that is VMS_POOL_TRANSPARENT get to their addresses: they are read
 * to a landing, and the pager brings them from there.
 */

/* What the word of a page has, where stores to it work from the first. */
static inline uint64_t vmsi_bring_bits(enum vmsi_stores stores)
{
	return stores == VMSI_STORES_WORK ? VMSI_WORD_DIRTY | VMSI_WORD_WRITABLE : 0;
}

/* Read pages to a landing, from a page on, that are busy. Returns 0 or -errno. */
int vmsi_bring_read(struct vms_pool *pool, uint64_t page, struct vmsi_landed landed);

/* Bring pages that have landed, and are busy. Returns 0 or -errno: none is there. */
int vmsi_bring_landed(struct vms_pool *pool, uint64_t page, struct vmsi_landed landed,
		      enum vmsi_stores stores);

/*
 * Bring a page that is busy and has a slot: read it, or make it zero and fix it for
 * writing, and publish its word. Returns 0 or -errno, and it is busy still.
 */
int vmsi_bring_page(struct vms_pool *pool, uint64_t page, uint32_t slot,
		    enum vmsi_page_hold hold, uint64_t *word);
int vmsi_bring_zeroes(struct vms_pool *pool, uint64_t page, uint32_t slot);

/*
 * Let stores to a page work that is there and not busy, and make it dirty. Returns 0;
 * -EAGAIN: it is not there, or busy; -errno, and it may be dirty.
 */
int vmsi_bring_open(struct vms_pool *pool, uint64_t page);

#endif
