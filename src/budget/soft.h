/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_SOFT_H
#define VMSI_BUDGET_SOFT_H

#include "budget/record.h"

/*
 * Under the lock: what is charged to a budget and to those above it may have changed.
 * Where that has passed a soft limit the thread tells callbacks of it when its request
 * is over (vmsi_budget_tell_early).
 */
void vmsi_soft_note(struct vms_budget *budget);

/* Under the lock, of a budget that is being closed. */
void vmsi_soft_end(struct vms_budget *budget);

#endif
