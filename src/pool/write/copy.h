/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_WRITE_COPY_H
#define VMSI_POOL_WRITE_COPY_H

#include "pool/pool.h"

/*
 * Copies of dirty pages that are about to be written, or put aside. Who makes one has
 * write_lock, and holds the page as a reader by vmsi_word_hold_dirty.
 */

/*
 * Copy a page whose word was seen so. Where plain pointers store to it, it is protected
 * first. Returns 0, and it is held still; -EBUSY: a store to it is just let in, -ENOMEM: it
 * could not be protected, and it is dirty and held no more.
 */
int vmsi_copy_begin(struct vms_pool *pool, uint64_t page, uint64_t seen, char *to);

/* The bytes of a page, to which plain stores may come at the same time. */
void vmsi_copy_bytes(char *to, const char *from, size_t size);

/* The page is let go: WRITING, and dirty only by what was stored since the copy began. */
void vmsi_copy_end(struct vms_pool *pool, uint64_t page);

#endif
