/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_SPACE_H
#define VMSI_SPACE_SPACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#include "base/lock.h"
#include "budget/budget.h"
#include "commit/commit.h"
#include "space/gap.h"
#include "space/limits.h"
#include "space/object.h"
#include "space/place.h"
#include "space/signs.h"
#include "space/stack.h"
#include "space/uncovered.h"
#include "space/warm.h"
#include "vma/vma.h"

/*
 * A space. The type of each part is in the header of the file that changes it.
 * The lock guards all fields but those that are atomic or never change
 * (docs/locks.md).
 */
struct vms_space {
	struct vmsi_lock lock;
	struct vmsi_range range;
	struct vmsi_map map;          /* written by records.c and uncovered.c */
	struct vmsi_ledger ledger;
	struct vms_budget *budget;    /* is charged as well; NULL: none */
	enum vms_placement placement;
	unsigned flags;
	char name[VMS_NAME_MAX + 1];

	struct vmsi_objects objects;
	struct vmsi_warm_holes warm;
	struct vmsi_gaps gaps;
	struct vmsi_limits limits;
	struct vmsi_stacks stacks;
	struct vmsi_uncovered uncovered;
	struct vmsi_left_places left;
	struct vmsi_handles *_Atomic handles; /* handle_table.c; NULL: none yet */

	unsigned unchecked;           /* calls since the invariants were checked */
	uint64_t huge_fallbacks;
	uint64_t moves;
	uint64_t grown_in_place;
	size_t metadata;              /* bytes mapped for records */
	bool has_locked;              /* some mapping has been locked */
	bool has_dontfork;            /* some mapping has been MADV_DONTFORK */
	uintptr_t limit_probe;        /* pages for vmsi_host_at_map_limit */
	_Atomic unsigned *fork_state; /* wiped by fork; see fork.c */
	size_t bytes;                 /* of this struct's own mapping */
	struct vms_space *next;       /* in the registry */
	struct vmsi_space_sign sign;  /* what others are told */
};

/* Whether a range lies in the space. */
static inline bool vmsi_inside(const struct vms_space *space,
			       struct vmsi_range range)
{
	return range.start >= space->range.start &&
		range.end <= space->range.end && range.start <= range.end;
}

#endif
