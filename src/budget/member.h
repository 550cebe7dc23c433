/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_MEMBER_H
#define VMSI_BUDGET_MEMBER_H

#include "budget/record.h"

/* The memory that processes share, and a place in it; see member.c. */

/*
 * Make the shared memory of a budget whose name and ledger are set, or map that
 * of a descriptor and take over its name; join it. Returns 0 or -errno, and
 * then nothing is left behind.
 */
int vmsi_member_create(struct vms_budget *budget);
int vmsi_member_attach(struct vms_budget *budget, int fd);

/*
 * Get a slot, with what this process has charged in it. Returns 0, or -errno
 * and there is no slot.
 */
int vmsi_member_join(struct vms_budget *budget);

/*
 * Before fork: get a slot for the child, with all that this process has charged,
 * so that it is charged from the first instant and whatever becomes of the
 * parent. Where that fails the child joins by itself. After it, in the parent:
 * leave it to the child, or to whoever clears it where there is none. In the
 * child: take it over.
 */
void vmsi_member_prepare_child(struct vms_budget *budget);
void vmsi_member_leave_child(struct vms_budget *budget);
void vmsi_member_become_child(struct vms_budget *budget);

/* Give the slot back, and the charge in it. */
void vmsi_member_leave(struct vms_budget *budget);

/* In a child: leave the slot to the parent and get one. */
void vmsi_member_renew(struct vms_budget *budget);

/* Give back all that create or attach has got. */
void vmsi_member_close(struct vms_budget *budget);

/*
 * The shared budgets of this process, which fork handles. The lock of all
 * budgets guards the list.
 */
extern struct vms_budget *vmsi_budget_shared_list;
void vmsi_member_enlist(struct vms_budget *budget);

#endif
