/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_LANE_H
#define VMSI_POOL_LANE_H

#include "pool/pool.h"

/*
 * Rings for threads that read many pages at a time, and wait for them. The kernel copies
 * what is in its page cache while the reads are submitted, one ring at a time: so each of
 * these threads has a ring of its own for that time, as long as there are enough. The first
 * to come has the store's io; others are opened as they are needed, and never where the
 * kernel lets the process have no ring.
 */

/* How many there can be in the RAM, besides the store's io; and the bytes they may take. */
void vmsi_lanes_plan(struct vms_pool *pool);
size_t vmsi_lanes_bytes(const struct vms_pool *pool);

/*
 * An io for the thread, for reads that it waits for before it gives the lane back. Where
 * all are taken it is the store's io, which then several threads use.
 */
struct vmsi_lane {
	struct vmsi_io *io;
	int number; /* in the store's; LANE_MAIN, LANE_SHARED */
};

struct vmsi_lane vmsi_lane_take(struct vms_pool *pool);
void vmsi_lane_give(struct vms_pool *pool, struct vmsi_lane lane);

#endif
