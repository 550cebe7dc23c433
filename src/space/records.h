/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_RECORDS_H
#define VMSI_SPACE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "vma/vma.h"

/* Changes of the map, with the ledger and the objects; see records.c. */

struct vms_space;

/*
 * Reserve memory for the map's records that one operation needs. Returns 0, or
 * -ENOMEM with its reason.
 */
int vmsi_reserve_records(struct vms_space *space);

/*
 * The same for an operation that gives memory back. It needs no more than the
 * one above has left, so it works while the host has no memory for records.
 */
int vmsi_reserve_to_give_back(struct vms_space *space);

/*
 * Insert a mapping, which is charged already, and forget what it replaces.
 * Needs vmsi_reserve_records.
 */
void vmsi_publish(struct vms_space *space, struct vmsi_range range,
		  uint64_t offset, const struct vmsi_attributes *attributes);

/* The same for a range that is a hole, which is quicker. */
void vmsi_publish_free(struct vms_space *space, struct vmsi_range range,
		       uint64_t offset,
		       const struct vmsi_attributes *attributes);

/* Take a range out of the map, with its charge, objects, names, handles. */
void vmsi_forget(struct vms_space *space, struct vmsi_range range);

/*
 * Call change for each mapping, or part of one, in a range, and count objects
 * and names anew. vmsi_learn_touched was called before the host's call.
 */
void vmsi_change(struct vms_space *space, struct vmsi_range range,
		 void (*change)(struct vmsi_mapping *piece, void *context),
		 void *context);

/* The bytes in a range that are charged as private memory. */
size_t vmsi_charged_in(const struct vms_space *space, struct vmsi_range range);

/* Private writable memory with one of these flags is not charged. */
#define VMSI_COMMIT_EXEMPT \
	(VMSI_SHARED | VMSI_HUGETLB | VMSI_NORESERVE | VMSI_DROPPABLE)

/* Whether memory of this kind loses its charge when it was never touched. */
static inline bool vmsi_is_private_anonymous(const struct vmsi_attributes *a)
{
	return vmsi_has(a, VMSI_ANONYMOUS) && !vmsi_has(a, VMSI_SHARED);
}

/*
 * Set VMSI_TOUCHED of the mappings in a range that have pages, before a split,
 * a move or a discard hides that from pagemap. VMSI_LEARN_SPLIT leaves out
 * mappings that lie whole in the range.
 */
enum vmsi_learn { VMSI_LEARN_ALL, VMSI_LEARN_SPLIT };
void vmsi_learn_touched(struct vms_space *space, struct vmsi_range range,
			enum vmsi_learn which);

#endif
