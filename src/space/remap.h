/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_REMAP_H
#define VMSI_SPACE_REMAP_H

#include "base/mman.h"
#include "space/grow.h"
#include "space/space.h"

/* One call of vms_mremap, whose lengths vmsi_remap_check rounds up to pages. */
struct remap_request {
	struct vms_space *space;
	uintptr_t old;
	size_t old_length;
	size_t new_length;
	int flags;
	uintptr_t new_address;
	struct vmsi_mapping *mapping;  /* the one that holds old */
	enum vmsi_extend_by by;        /* how it would grow in place */
};

static inline bool vmsi_remap_is_fixed(const struct remap_request *request)
{
	return request->flags & MREMAP_FIXED;
}

static inline bool vmsi_remap_keeps_source(const struct remap_request *request)
{
	return request->flags & MREMAP_DONTUNMAP;
}

static inline struct vmsi_range
vmsi_remap_source(const struct remap_request *request)
{
	return (struct vmsi_range){ request->old,
				    request->old + request->old_length };
}

/*
 * The checks, in the order in which Linux makes them (remap_check.c). Each
 * returns 0 or -errno: the arguments; the mapping that holds the old address,
 * which is set; the mapping's kind and length, and by, for a call that maps
 * something new; the limits of locked memory, addresses and data, for growth.
 */
int vmsi_remap_check(struct remap_request *request);
int vmsi_remap_find(struct remap_request *request);
int vmsi_remap_check_mapping(struct remap_request *request);
int vmsi_remap_check_growth(struct remap_request *request);

/* Set *extension to what growth would map; whether the hole holds it. */
bool vmsi_remap_fits_behind(const struct remap_request *request,
			 struct vmsi_range *extension);

/* Whether the mapping counts against RLIMIT_DATA, or RLIMIT_AS alone. */
enum vmsi_counts vmsi_remap_counts_as(const struct vmsi_mapping *mapping);

/* vms_mremap with the lock held. Returns the address or -errno. remap.c */
long vmsi_remap(struct vms_space *space, uintptr_t old, size_t old_length,
		size_t new_length, int flags, uintptr_t new_address);

#endif
