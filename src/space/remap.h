/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_REMAP_H
#define VMSI_SPACE_REMAP_H

#include "base/mman.h"
#include "space/grow.h"
#include "space/space.h"

/* One call of vms_mremap, and whether it may be; see remap_check.c. */

/* One call of vms_mremap; lengths are rounded up to pages. */
struct remap_request {
	struct vms_space *space;
	uintptr_t old;
	size_t old_length;
	size_t new_length;
	int flags;
	uintptr_t new_address;
	struct vmsi_mapping *mapping;  /* the one that holds old */
	enum vmsi_extend_by by;        /* of growth in place */
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

/* What Linux looks at before the mapping. Rounds the lengths up. 0 or -errno. */
int vmsi_remap_check(struct remap_request *request);

/* Find the mapping that holds the old address. 0 or -errno. */
int vmsi_remap_find(struct remap_request *request);

/* For requests that make a new mapping or a longer one. 0 or -errno. */
int vmsi_remap_check_mapping(struct remap_request *request);

/* What growth must fit below: locked memory, addresses, data. 0 or -errno. */
int vmsi_remap_check_growth(struct remap_request *request);

/* Whether the map has room behind the mapping, and what growth would map there. */
bool vmsi_remap_has_room(const struct remap_request *request,
			 struct vmsi_range *extension);

/* What the mapping counts as against the limits. */
enum vmsi_counts vmsi_remap_counts_as(const struct vmsi_mapping *mapping);

/*
 * A whole call of vms_mremap, under the lock of the space. Returns the address
 * or -errno. remap.c
 */
long vmsi_remap(struct vms_space *space, uintptr_t old, size_t old_length,
		size_t new_length, int flags, uintptr_t new_address);

#endif
