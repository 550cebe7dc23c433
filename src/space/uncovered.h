/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_UNCOVERED_H
#define VMSI_SPACE_UNCOVERED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/align.h"
#include "vma/vma.h"

/*
 * Addresses of a space that are neither mapped nor covered; see uncovered.c.
 *
 *   the map:    | mapping |   hole   | foreign |   hole   | leftover |
 *   the host:   | mapping | reserved | others' | reserved |   ours   |
 */

struct vms_space;

#define VMSI_UNCOVERED_HULLS 8

/*
 * Ranges (hulls) in which all uncovered addresses lie, and all of which the
 * host did not tell what is there. When there are more than hulls, the last one
 * is enlarged.
 */
struct vmsi_uncovered {
	struct vmsi_range hulls[VMSI_UNCOVERED_HULLS];
	unsigned count;         /* 0: nothing is uncovered */
};

/* Whether a record of the map is foreign or a leftover, and so no mapping. */
static inline bool vmsi_is_uncovered(const struct vmsi_mapping *record)
{
	return vmsi_has(&record->attributes, VMSI_FOREIGN | VMSI_LEFTOVER);
}

/* Count the uncovered records of the map. */
struct vmsi_uncovered_figures {
	size_t bytes;
	size_t foreign;         /* of bytes */
	size_t records;
};
struct vmsi_uncovered_figures
vmsi_uncovered_count(const struct vms_space *space);

/* Note that something may be uncovered in a range. */
void vmsi_uncovered_note(struct vms_space *space, struct vmsi_range range);

/* Cover what the host has free in a range; note the rest as foreign. */
void vmsi_cover_free(struct vms_space *space, struct vmsi_range range);

/* The same for the holes in a range. */
void vmsi_cover_holes(struct vms_space *space, struct vmsi_range range);

/*
 * Cover a range that was taken out of the map, but for foreign memory. What the
 * host refuses to cover is noted as a leftover. Needs vmsi_reserve_records.
 */
void vmsi_cover_or_leave(struct vms_space *space, struct vmsi_range range);

/*
 * The first part of a range with nothing foreign in it. It is empty, at the
 * range's end, if all is foreign.
 */
struct vmsi_range vmsi_next_ours(const struct vms_space *space,
				 struct vmsi_range range);

/* Whether nothing in a range is foreign. */
bool vmsi_may_replace(const struct vms_space *space, struct vmsi_range range);

#endif
