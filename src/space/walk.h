/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_WALK_H
#define VMSI_SPACE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "vma/vma.h"

/* The mappings of a space: its map without the records of what is uncovered. */

struct vms_space;

/*
 * The range of an address and a length that is rounded up to a page; false
 * where that wraps.
 */
bool vmsi_page_range(uintptr_t address, size_t length,
		     struct vmsi_range *range);

static inline struct vmsi_range
vmsi_mapping_range(const struct vmsi_mapping *mapping)
{
	return (struct vmsi_range){ mapping->start, mapping->end };
}

/* As vmsi_map_lookup, vmsi_map_find, vmsi_map_next. */
struct vmsi_mapping *vmsi_lookup(const struct vms_space *space,
				 uintptr_t address);
struct vmsi_mapping *vmsi_first(const struct vms_space *space,
				struct vmsi_range range);
struct vmsi_mapping *vmsi_following(const struct vmsi_mapping *mapping,
				    struct vmsi_range range);

/* Bytes of mappings in a range. */
size_t vmsi_mapped_bytes(const struct vms_space *space, struct vmsi_range range);

/* Where the mappings that follow each other from address on end, up to limit. */
uintptr_t vmsi_run_end(const struct vms_space *space, uintptr_t address,
		       uintptr_t limit);

/* The first such run that reaches into [from, limit); false: all is a hole. */
bool vmsi_next_run(const struct vms_space *space, uintptr_t from,
		   uintptr_t limit, struct vmsi_range *run);

/* Whether any mapping in a range is sealed. */
bool vmsi_has_sealed(const struct vms_space *space, struct vmsi_range range);

/* for (each mapping that has a part in range) */
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
 * Make a host call over a run of mappings; such calls work from low to high
 * addresses and change what is before a failure. *done is the end of what was
 * changed. Returns 0 or -errno.
 */
struct vmsi_range_call {
	long (*call)(struct vmsi_range range, void *context);
	void *context;
};
int vmsi_call_run(struct vms_space *space, struct vmsi_range run,
		  struct vmsi_range_call call, uintptr_t *done);

#endif
