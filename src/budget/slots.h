/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_SLOTS_H
#define VMSI_BUDGET_SLOTS_H

#include "budget/record.h"

/* The slots of a shared budget; see slots.c. */

static inline struct vmsi_budget_head *
vmsi_slots_head(const struct vms_budget *budget)
{
	return &budget->shared->head;
}

/* Whether this process has a slot, and which. */
static inline bool vmsi_slots_has_own(const struct vms_budget *budget)
{
	return budget->lock_fd >= 0;
}

static inline struct vmsi_budget_slot *
vmsi_slots_own(const struct vms_budget *budget)
{
	return &budget->shared->slots[budget->slot];
}

/*
 * Take slot number i, which is empty then, for the description of lock_fd;
 * false: somebody has it.
 */
bool vmsi_slots_take(struct vms_budget *budget, int lock_fd, unsigned i);
void vmsi_slots_release(struct vms_budget *budget, unsigned i);

/* Whoever reads the slots looks at those before number used from now on. */
void vmsi_slots_note_used(struct vms_budget *budget, uint32_t used);

/* Clear the slots of processes that have ended. */
void vmsi_slots_reap(struct vms_budget *budget);

/* The number of different processes with a slot. */
unsigned vmsi_slots_processes(const struct vms_budget *budget);

/* What all slots come to. */
struct vmsi_slot_totals {
	size_t charged;        /* bytes, with what this process has */
	size_t asked;          /* bytes, by others */
	bool lower_asks;       /* a process in a lower slot asks */
	struct vmsi_object_sums objects; /* which are in charged and in asked */
};

/* question: the object that this process asks for; NULL: none. */
struct vmsi_slot_totals vmsi_slots_total(struct vms_budget *budget,
					 const struct vmsi_held *question);

/* The sum of what is charged in all slots. */
size_t vmsi_slots_charged(struct vms_budget *budget);

/*
 * See to it that the peak is not below what is charged now. A sum that is more
 * than most was read while charges went from slot to slot, and is no peak; what
 * is charged without a question may pass the limit, so there most is UINT64_MAX.
 */
void vmsi_slots_note_peak(struct vms_budget *budget, uint64_t most);

/* Tell the others what the ledger says now. */
void vmsi_slots_publish(struct vms_budget *budget);

#endif
