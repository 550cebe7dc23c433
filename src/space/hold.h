/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_HOLD_H
#define VMSI_SPACE_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/align.h"

/* The reservation of a space, and what it does not hold; see hold.c. */

struct vms_space;

/*
 * A hole that the host holds as a mapping of its own, apart from the
 * reservation around it. To map over it exactly costs the host no split of the
 * reservation.
 */
struct vmsi_warm_hole {
	struct vmsi_range range;
};

#define VMSI_WARM_HOLES 32

/*
 * What the reservation is made of. MAP_STACK, which makes it MADV_NOHUGEPAGE
 * from Linux 6.7 on, keeps the host from merging it with a program's own
 * PROT_NONE, MAP_NORESERVE memory: what such memory has been (touched, so
 * dumped with a core) would become true of the whole reservation.
 */
#define VMSI_RESERVATION (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK)

enum vmsi_warmth { VMSI_COLD, VMSI_WARM };

/*
 * Replace what the host has in a range by the reservation. The map is not
 * changed. *done is the end of what was given back, also on failure. Returns
 * 0 or -errno.
 */
int vmsi_give_back(struct vms_space *space, struct vmsi_range range,
		   enum vmsi_warmth warmth, uintptr_t *done);

/*
 * As vmsi_give_back, for what is out of the map already; what the host refuses
 * is noted as owed and tried again later. Needs vmsi_reserve_records.
 */
void vmsi_give_back_or_owe(struct vms_space *space, struct vmsi_range range);

/*
 * Reserve a range that the host may have free. What another part of the
 * process has taken meanwhile is noted as foreign.
 */
void vmsi_hold(struct vms_space *space, struct vmsi_range range);

/* As vmsi_hold, for those parts of a range that are free in the map. */
void vmsi_hold_free(struct vms_space *space, struct vmsi_range range);

/*
 * After a failed call of the host that may have destroyed its target: find out,
 * hold what is free, and take it out of the map.
 */
void vmsi_settle(struct vms_space *space, struct vmsi_range range);

/*
 * After such a failure of a call that unmaps all of its target or nothing, and
 * before it is tried in another way: hold the target again and take it out of
 * the map. false: others are there, or the host does not tell. Needs
 * vmsi_reserve_records.
 */
bool vmsi_take_back(struct vms_space *space, struct vmsi_range range);

/* Try to get unheld addresses back. */
void vmsi_recover(struct vms_space *space);

/*
 * The first part of a range with nothing foreign in it; empty, at the range's
 * end, where all the rest is foreign.
 */
struct vmsi_range vmsi_next_ours(const struct vms_space *space,
				 struct vmsi_range range);

/* Whether nothing in a range is foreign. */
bool vmsi_may_replace(const struct vms_space *space, struct vmsi_range range);

/*
 * Before an operation replaces what is in a range: whether it may. Returns 0,
 * or -ENOMEM with its reason.
 */
int vmsi_claim(struct vms_space *space, struct vmsi_range range);

/* The start of a warm hole of exactly this length; false: none. */
bool vmsi_warm_take(struct vms_space *space, size_t length, size_t alignment,
		    uintptr_t *start);

/* Forget warm holes in a range that is being mapped. */
void vmsi_warm_trim(struct vms_space *space, struct vmsi_range range);

/* Whether a hole of a whole mapping should be warm. */
enum vmsi_warmth vmsi_warm_wanted(struct vms_space *space);

/* Note a warm hole that the host has been given. */
void vmsi_warm_add(struct vms_space *space, struct vmsi_warm_hole hole);

#endif
