/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_GROW_H
#define VMSI_SPACE_GROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "vma/vma.h"

/* Growth of mappings in place; see grow.c. Each returns 0 or -errno. */

struct vms_space;

/*
 * Grow a mapping by so many bytes, which are charged: into the open gap behind
 * it, or into the hole, of which nothing is open.
 */
enum vmsi_extend_by { VMSI_EXTEND_IN_GAP, VMSI_EXTEND_IN_HOLE };
int vmsi_extend(struct vms_space *space, struct vmsi_mapping *mapping,
		size_t extension, enum vmsi_extend_by by);

/* Map private anonymous memory of these attributes. */
int vmsi_map_extension(struct vms_space *space, uintptr_t start, size_t length,
		       const struct vmsi_attributes *attributes);

/* Grow the mapping that ends at end by the host's mremap, in a window. */
int vmsi_extend_by_window(struct vms_space *space, uintptr_t end,
			  struct vmsi_range extension);

/* Map the memory that follows the shared mapping that ends at end. */
int vmsi_alias_extension(struct vms_space *space, uintptr_t end,
			 struct vmsi_range extension);

#endif
