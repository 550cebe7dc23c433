/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_EVICT_LEAVE_H
#define VMSI_POOL_EVICT_LEAVE_H

#include "pool/evict/evict.h"

/* How pages with an address of theirs leave that were chosen for it. */

/* Those that leave, of one call. */
struct vmsi_leaving {
	struct vmsi_leaver {
		uint64_t page;
		uint32_t slot;
		bool is_dirty;
		bool stays;      /* its memory could not be dropped */
	} pages[VMSI_EVICT_BATCH];
	size_t count;
	size_t dirty, dirty_most; /* those that go by the outlet */
	size_t stayed;            /* of them, those that could not be put aside */
};

/*
 * The pages, which are busy, lose their memory, and their slots become free. Dirty pages that
 * cannot be put aside stay, and are noted to be written. Returns how many have left; -errno
 * where none has.
 */
int vmsi_evict_leave(struct vms_pool *pool, struct vmsi_leaving *leaving,
		     struct vmsi_batch *dirty);

#endif
