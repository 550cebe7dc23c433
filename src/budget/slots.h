/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_SLOTS_H
#define VMSI_BUDGET_SLOTS_H

#include "budget/record.h"

/*
 * The slots of a shared budget. The states of a slot, and the functions that lead
 * from one to the next, in whatever process:
 *
 *                         vmsi_member_join
 *     +-----> FREE --------------------------------------> OWNED ---+
 *     |        |                                           ^  |     |
 *     |        | vmsi_member_prepare_child                 |  |     |
 *     |        v            vmsi_member_become_child       |  |     |
 *     |     PREPARED --------------------------------------+  |     |
 *     |        |                                              |     |
 *     |        | fork fails, or the child ends                |     |
 *     |        v              its process ends or execs       |     |
 *     +---- ABANDONED <---------------------------------------+     |
 *     | vmsi_slots_reap                                             |
 *     +-------------------------------------------------------------+
 *       vmsi_member_leave
 *
 *   FREE       Nobody has its lock, and all fields are 0.
 *   PREPARED   A process that is about to fork has its lock by child_fd, which the
 *              child inherits. pid is the parent's, and charged what the child
 *              will have.
 *   OWNED      The process pid has its lock by lock_fd, and nobody else writes the
 *              slot. vmsi_slots_publish and ask.c set charged and asking.
 *   ABANDONED  The kernel has dropped the lock, and the fields are as they were:
 *              they count until somebody clears the slot.
 *
 * vmsi_member_join and vmsi_member_prepare_child take an ABANDONED slot as they
 * take a FREE one, since vmsi_slots_take clears what it has locked.
 */

static inline struct vmsi_budget_head *
vmsi_slots_head(const struct vms_budget *budget)
{
	return &budget->shared->head;
}

/* Whether this process has a slot. */
static inline bool vmsi_slots_has_own(const struct vms_budget *budget)
{
	return budget->lock_fd >= 0;
}

/* Its slot. */
static inline struct vmsi_budget_slot *
vmsi_slots_own(const struct vms_budget *budget)
{
	return &budget->shared->slots[budget->slot];
}

/*
 * Take the lock of slot i by lock_fd, and clear the slot; false: a process has
 * it. Clear a slot and release its lock, taken by budget->lock_fd.
 */
bool vmsi_slots_take(struct vms_budget *budget, int lock_fd, unsigned i);
void vmsi_slots_release(struct vms_budget *budget, unsigned i);

/* Have all readers look at the slots before number used. */
void vmsi_slots_note_used(struct vms_budget *budget, uint32_t used);

/* Clear the slots of processes that have ended. */
void vmsi_slots_reap(struct vms_budget *budget);

/* The number of different processes with a slot. */
unsigned vmsi_slots_processes(const struct vms_budget *budget);

/* The sum over all slots, with the objects in their places. */
struct vmsi_slot_totals {
	size_t charged;        /* bytes, by all processes */
	size_t asked;          /* bytes, by the others */
	bool lower_asks;       /* a process in a lower slot asks */
	struct vmsi_object_sums objects; /* a part of charged and asked */
};

/* question is the object that this process asks for, or NULL. */
struct vmsi_slot_totals vmsi_slots_total(struct vms_budget *budget,
					 const struct vmsi_held *question);

/* What is charged in all slots, at one instant if that can be had. */
size_t vmsi_slots_charged(struct vms_budget *budget);

/*
 * Raise the peak to what is charged now. A sum that was not of one instant, or
 * is above most, is left out: it was read while charges went from slot to slot.
 * most is the limit, or UINT64_MAX after a charge that nobody could refuse.
 */
void vmsi_slots_note_peak(struct vms_budget *budget, uint64_t most);

/* Write the ledger's charge, less in_places, into this process's slot. */
void vmsi_slots_publish(struct vms_budget *budget);

#endif
