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

/*
 * Begin to read those of the pages that are not there, as many as there is room for
 * without waiting. Returns how many reads were begun.
 */
size_t vmsi_flight_begin(struct vms_pool *pool, const uint64_t *pages, size_t count);

/* The same, and wait for the reads to end, well or not. count: VMS_POOL_MANY at most. */
void vmsi_flight_read(struct vms_pool *pool, const uint64_t *pages, size_t count);

#endif
