/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_MEMBER_H
#define VMSI_BUDGET_MEMBER_H

#include "budget/record.h"

/* The file of a shared budget, and this process's slot; see member.c. */

/*
 * Make the file of a budget whose name and ledger are set, or map that of a
 * descriptor and take over its name and policy; then join it. Returns 0, or
 * -errno and nothing is left of it.
 */
int vmsi_member_create(struct vms_budget *budget);
int vmsi_member_attach(struct vms_budget *budget, int fd);

/*
 * Get a slot, and write into it what this process has charged. Returns 0, or
 * -errno if there is none.
 */
int vmsi_member_join(struct vms_budget *budget);

/*
 * Before fork, get a slot for the child, and write all that this process has
 * charged into it. So the child is charged from its first instant, whatever
 * becomes of the parent. (If there is none, the child joins by itself.) After
 * fork the parent closes the slot's descriptor, and the child takes the slot
 * over. If fork failed, nobody has the slot's lock, and any process may clear
 * it.
 */
void vmsi_member_prepare_child(struct vms_budget *budget);
void vmsi_member_leave_child(struct vms_budget *budget);
void vmsi_member_become_child(struct vms_budget *budget);

/* Clear and unlock the slot. */
void vmsi_member_leave(struct vms_budget *budget);

/* In a child without handlers: leave the slot to the parent and get another. */
void vmsi_member_renew(struct vms_budget *budget);

/* Give back all that create or attach has got. */
void vmsi_member_close(struct vms_budget *budget);

/* The shared budgets of this process, for the fork handlers. */
extern struct vms_budget *vmsi_budget_shared_list;
void vmsi_member_enlist(struct vms_budget *budget);

#endif
