/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_LAYOUT_H
#define VMSI_POOL_LAYOUT_H

#include "pool/pool.h"

/*
 * The memory of a pool: how much of what there is, and where. What the options ask for is
 * in the pool already: page_size, ram, ram_most, pages_most and flags.
 */

/*
 * Find out how many slots there are and what belongs to them, and set the view's shifts
 * and masks. Returns 0; -EINVAL, -EOVERFLOW.
 */
int vmsi_layout_plan(struct vms_pool *pool);

/* The most RAM for which there are slots enough with so large pages. */
size_t vmsi_layout_most(size_t page_size);

/* Map it, in a space of the pool's own. Returns 0 or -errno. */
int vmsi_layout_map(struct vms_pool *pool, const char *name);

/* Before there is less RAM: no huge pages where pages leave one by one. 0 or -errno. */
int vmsi_layout_thin(struct vms_pool *pool);

#endif
