/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MAP_REQUEST_H
#define VMSI_SPACE_MAP_REQUEST_H

#include <sys/stat.h>

#include "base/mman.h"
#include "space/space.h"

/* One call of vms_mmap on its way through check, place, charge, act, publish. */
struct map_request {
	struct vms_space *space;
	/* As the caller gave it. */
	uintptr_t address;
	size_t length;             /* rounded up by check */
	int prot;
	int flags;
	int fd;
	uint64_t offset;
	/* Found out by check and place. */
	struct stat file;
	size_t page_size;          /* of the mapping's pages */
	struct vmsi_range target;
	struct vmsi_attributes attributes;
	uint64_t object_offset;
	bool own_object;           /* attributes.object was made for this call */
	bool target_is_free;       /* nothing is mapped at the target */
	bool target_is_warm;       /* the target is a warm hole */
	size_t charge;             /* bytes of private memory */
	/* Of an object that is not held yet, or not as large. bytes 0: none. */
	struct vmsi_hold hold;
	enum vmsi_hold_level hold_level;
	size_t refund;             /* bytes of what the target replaces */
	bool charged;
};

static inline bool vmsi_map_request_is_fixed(const struct map_request *request)
{
	return request->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

static inline bool vmsi_map_request_is_shared(const struct map_request *request)
{
	int type = request->flags & MAP_TYPE;

	return type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
}

/*
 * Look at the arguments in Linux's order; rounds the length up. Returns 0 or
 * -errno.
 */
int vmsi_map_request_check(struct map_request *request);

/*
 * Find the place, and claim it of what the space does not hold. Returns 0, or
 * -errno with its reason. map_place.c
 */
int vmsi_map_request_place(struct map_request *request);

/*
 * Refuse a request, unless its descriptor is bad, which the host would have
 * told first. Returns -errno.
 */
int vmsi_map_request_refuse(struct map_request *request, int error);

/* Get the object behind the mapping, if there is one. Returns 0 or -errno. */
int vmsi_map_request_get_object(struct map_request *request);
/* Let it go again, for a request that comes to nothing. */
void vmsi_map_request_drop_object(struct map_request *request);

/*
 * Find out what the mapping holds of its object, and is not held yet. Returns 0
 * or -errno.
 */
int vmsi_map_request_find_hold(struct map_request *request);

#endif
