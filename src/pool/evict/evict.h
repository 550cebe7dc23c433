/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_EVICT_EVICT_H
#define VMSI_POOL_EVICT_EVICT_H

#include "pool/pool.h"

/* Pages that are to be written. */
struct vmsi_batch {
	uint64_t pages[VMSI_WRITE_BATCH];
	size_t count;
};

static inline bool vmsi_batch_is_full(const struct vmsi_batch *batch)
{
	return batch && batch->count == VMSI_WRITE_BATCH;
}

/*
 * Have up to a batch of pages leave. Where there is an outlet (plain/outlet.h) dirty pages
 * leave by it, as clean ones do; all others that come in the way are noted in dirty, to be
 * written. Where dirty is NULL only clean pages leave. Returns how many have left; -errno where
 * the host refuses.
 */
int vmsi_evict(struct vms_pool *pool, struct vmsi_batch *dirty);

/* The dirty pages among those that are next to leave. */
void vmsi_evict_gather(struct vms_pool *pool, struct vmsi_batch *dirty);

#endif
