/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_LANDING_H
#define VMSI_POOL_PLAIN_LANDING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where pages are read to that come by faults, before they are brought to their addresses
 * in one step: room for some pages, side by side. Who has some of it waits for nobody but
 * the disk, so that whoever waits for it gets it.
 */

#define VMSI_LANDING_MOST 256

struct vms_pool;

struct vmsi_landing {
	char *bytes;
	size_t pages;                 /* that there is room for, at most VMSI_LANDING_MOST */
	_Atomic uint32_t returns;     /* changes when some was given back */
	_Atomic uint32_t waiters;
	uint64_t used[VMSI_LANDING_MOST / 64]; /* bits; under the pool's lock */
};

/* Pages side by side. */
struct vmsi_landed {
	size_t place, count;
};

/* Take room for up to so many pages, and at least one. */
struct vmsi_landed vmsi_landing_take(struct vms_pool *pool, size_t wanted);

/* Take room for a page, if there is any; the count is 0 otherwise. */
struct vmsi_landed vmsi_landing_try(struct vms_pool *pool);

void vmsi_landing_give(struct vms_pool *pool, struct vmsi_landed landed);

/* Where its pages are. */
char *vmsi_landing_at(const struct vms_pool *pool, struct vmsi_landed landed);

#endif
