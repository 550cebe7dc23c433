/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_WALK_H
#define VMSI_SPACE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "vma/vma.h"

/* Walks over the mappings of a space, which leave out uncovered records. */

struct vms_space;

/* Set *range, with the length rounded up to pages; false: it wraps. */
bool vmsi_page_range(uintptr_t address, size_t length,
		     struct vmsi_range *range);

static inline struct vmsi_range
vmsi_mapping_range(const struct vmsi_mapping *mapping)
{
	return (struct vmsi_range){ mapping->start, mapping->end };
}

/*
 * The mapping that holds an address; the first one in a range; the next one in
 * it. NULL: none.
 */
struct vmsi_mapping *vmsi_lookup(const struct vms_space *space,
				 uintptr_t address);
struct vmsi_mapping *vmsi_first(const struct vms_space *space,
				struct vmsi_range range);
struct vmsi_mapping *vmsi_following(const struct vmsi_mapping *mapping,
				    struct vmsi_range range);

size_t vmsi_mapped_bytes(const struct vms_space *space, struct vmsi_range range);

/*
 * Where the run of mappings that holds address ends, or limit if that is lower.
 * A run is mappings without a hole between them. Returns address in a hole.
 */
uintptr_t vmsi_run_end(const struct vms_space *space, uintptr_t address,
		       uintptr_t limit);

/* The first run in [from, limit); false: all of it is a hole. */
bool vmsi_next_run(const struct vms_space *space, uintptr_t from,
		   uintptr_t limit, struct vmsi_range *run);

/* Whether any mapping in a range is sealed. */
bool vmsi_has_sealed(const struct vms_space *space, struct vmsi_range range);

#define vmsi_for_each(space, mapping, range) \
	for (struct vmsi_mapping *mapping = vmsi_first(space, range); mapping; \
	     mapping = vmsi_following(mapping, range))

/* The part of a mapping that lies in a range. */
static inline struct vmsi_range vmsi_piece(const struct vmsi_mapping *mapping,
					   struct vmsi_range range)
{
	return vmsi_range_common(vmsi_mapping_range(mapping), range);
}

/*
 * Make a call of the host for a run of mappings. Such calls (mprotect, madvise)
 * go from low to high addresses, and what they changed before a failure stays
 * changed: *done is its end. Returns 0 or -errno.
 */
struct vmsi_range_call {
	long (*call)(struct vmsi_range range, void *context);
	void *context;
};
int vmsi_call_run(struct vms_space *space, struct vmsi_range run,
		  struct vmsi_range_call call, uintptr_t *done);

#endif
