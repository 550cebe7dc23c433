/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_GROW_H
#define VMSI_SPACE_GROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "vma/vma.h"

/* Growth of mappings in place; see grow.c. Each returns 0 or -errno. */

struct vms_space;

/* Grow a mapping into the gap behind it (gap.c), or into the hole. */
enum vmsi_extend_by { VMSI_EXTEND_IN_GAP, VMSI_EXTEND_IN_HOLE };
int vmsi_extend(struct vms_space *space, struct vmsi_mapping *mapping,
		size_t extension, enum vmsi_extend_by by);

/* Map fresh memory of these attributes. */
int vmsi_map_extension(struct vms_space *space, uintptr_t start, size_t length,
		       const struct vmsi_attributes *attributes);

/* Let the host grow the mapping that ends at end, into a hole behind it. */
int vmsi_extend_by_window(struct vms_space *space, uintptr_t end,
			  struct vmsi_range extension);

/* Map what follows the shared mapping that ends at end to another place. */
int vmsi_alias_extension(struct vms_space *space, uintptr_t end,
			 struct vmsi_range extension);

#endif
