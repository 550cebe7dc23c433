/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_REFUSAL_H
#define VMSI_SPACE_REFUSAL_H

#include <stdbool.h>

#include <vmspace/space.h>

#include "space/inside.h"

/* What calls answer, and why they were refused; see refusal.c. */

/* A call begins, and nothing of it was refused so far. */
void vmsi_refusal_begin(void);

/* vmsi_reclaim_moment when the call of this thread began. */
unsigned vmsi_refusal_since(void);

/* As vmsi_status: an address, or MAP_FAILED and errno. */
void *vmsi_address_or_failed(long result);

/* Say why there is no memory for records; returns -ENOMEM. */
int vmsi_refuse_records(struct vms_space *space);

/* The same for a charge, by what vmsi_ledger_charge answered. */
int vmsi_refuse_charge(int error);

/*
 * Pass on what the host answered; -ENOMEM also gets its reason. Returns error.
 */
int vmsi_refused_by_host(struct vms_space *space, long error);

#endif
