/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_FLIGHT_H
#define VMSI_POOL_FLIGHT_H

#include "pool/pool.h"

/*
 * Reads of pages in flight together. There are as many records of them as the options'
 * depth; the pool's lock guards the list of free ones.
 */

/* Make the list of free ones. */
void vmsi_flight_init(struct vms_pool *pool);

/* Who ends a read. */
enum vmsi_flight_end { VMSI_FLIGHT_ALONE, VMSI_FLIGHT_AWAITED };

/*
 * Begin to read those of the pages that are not there, as many as there is room for
 * without waiting. *place is where to go on afterwards. Returns how many reads were begun;
 * where they are to be awaited, only those that are not over yet, which are in reads.
 */
size_t vmsi_flight_begin(struct vms_pool *pool, const uint64_t *pages, size_t count,
			  size_t *place, enum vmsi_flight_end end,
			  struct vmsi_flight **reads);

/* Wait for reads to end, well or not. */
void vmsi_flight_wait(struct vms_pool *pool, struct vmsi_flight **reads, size_t count);

#endif
