/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_MAP_REQUEST_H
#define VMSI_SPACE_MAP_REQUEST_H

#include <sys/stat.h>

#include "base/mman.h"
#include "space/space.h"

/* One call of vms_mmap, through check, place, charge, act and publish. */
struct map_request {
	struct vms_space *space;
	/* The caller's arguments. */
	uintptr_t address;
	size_t length;             /* rounded up by check */
	int prot;
	int flags;
	int fd;
	uint64_t offset;
	/* Set by vmsi_map_request_check and the steps after it. */
	struct stat file;
	size_t page_size;          /* of the mapping's pages */
	struct vmsi_range target;
	struct vmsi_attributes attributes;
	uint64_t object_offset;
	bool own_object;           /* attributes.object has no other mapping */
	bool target_is_free;       /* nothing is mapped at the target */
	bool target_is_warm;       /* the target is a warm hole */
	size_t charge;             /* bytes of private memory */
	/* What to charge for the object, beyond what the space holds of it. */
	struct vmsi_hold hold;     /* bytes 0: nothing */
	enum vmsi_hold_level hold_level;
	size_t refund;             /* bytes of what the target replaces */
	bool charged;              /* charge, or hold, has been charged */
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

/* Check the arguments in Linux's order; round the length up. 0 or -errno. */
int vmsi_map_request_check(struct map_request *request);

/* Choose and claim the target. 0, or -errno and its reason. map_place.c */
int vmsi_map_request_place(struct map_request *request);

/* The -errno for a refusal, or an earlier one that Linux would give first. */
int vmsi_map_request_refuse(struct map_request *request, int error);

/*
 * Set attributes.object for a file or shared memory, and drop it when the
 * request fails. The first returns 0 or -errno.
 */
int vmsi_map_request_get_object(struct map_request *request);
void vmsi_map_request_drop_object(struct map_request *request);

/* Set hold and hold_level. Returns 0 or -errno. */
int vmsi_map_request_find_hold(struct map_request *request);

#endif
