/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_RECORDS_H
#define VMSI_SPACE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "vma/vma.h"

/* Publishing in the map, the ledger and the objects; see records.c. */

struct vms_space;

/* Reserve records for one operation. Returns 0 or -ENOMEM, with its reason. */
int vmsi_reserve_records(struct vms_space *space);

/*
 * Likewise, for an operation that gives memory back. The others leave what it
 * needs, so that it works where the host has no memory left for records.
 */
int vmsi_reserve_to_give_back(struct vms_space *space);

/*
 * Put a mapping into the map, in the place of what is there. The charge has
 * been made. Needs vmsi_reserve_records.
 */
void vmsi_publish(struct vms_space *space, struct vmsi_range range,
		  uint64_t offset, const struct vmsi_attributes *attributes);

/* The same for a range that is free in the map, which is quicker. */
void vmsi_publish_free(struct vms_space *space, struct vmsi_range range,
		       uint64_t offset,
		       const struct vmsi_attributes *attributes);

/* Take a range out of the map: uncharges, lets objects, names, handles go. */
void vmsi_forget(struct vms_space *space, struct vmsi_range range);

/*
 * Change attributes of a range; keeps objects and names counted. Before the
 * host's call, vmsi_learn_touched has looked at what is split.
 */
void vmsi_change(struct vms_space *space, struct vmsi_range range,
		 void (*change)(struct vmsi_mapping *piece, void *context),
		 void *context);

/* What of a range is charged as private memory, bytes. */
size_t vmsi_charged_in(const struct vms_space *space, struct vmsi_range range);

/* Mapping flags that are not charged when private and writable. */
#define VMSI_COMMIT_EXEMPT \
	(VMSI_SHARED | VMSI_HUGETLB | VMSI_NORESERVE | VMSI_DROPPABLE)

/* Whether memory of this kind loses its charge when it was never touched. */
static inline bool vmsi_is_private_anonymous(const struct vmsi_attributes *a)
{
	return vmsi_has(a, VMSI_ANONYMOUS) && !vmsi_has(a, VMSI_SHARED);
}

/*
 * Find out whether a mapping that is charged, or may be charged later and keep
 * that, was ever touched, before an operation that hides it (a split, a move, a
 * discard) and note it. VMSI_LEARN_SPLIT passes over a mapping that lies in the
 * range whole.
 */
enum vmsi_learn { VMSI_LEARN_ALL, VMSI_LEARN_SPLIT };
void vmsi_learn_touched(struct vms_space *space, struct vmsi_range range,
			enum vmsi_learn which);

#endif
