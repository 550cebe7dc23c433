/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_REFUSAL_H
#define VMSI_SPACE_REFUSAL_H

#include <stdbool.h>

#include <vmspace/space.h>

#include "space/inside.h"

/* What a call answers, and why it was refused; see refusal.c. */

/* A call of this thread begins: forget the reason of the one before. */
void vmsi_refusal_begin(void);

/* vmsi_reclaim_moment at the beginning of this thread's call. */
unsigned vmsi_refusal_since(void);

/* As vmsi_status: an address, or MAP_FAILED and errno. */
void *vmsi_address_or_failed(long result);

/* Refuse for want of memory for records, or at the map-count limit. -ENOMEM. */
int vmsi_refuse_records(struct vms_space *space);

/* Refuse for what vmsi_ledger_charge answered. Returns -ENOMEM. */
int vmsi_refuse_charge(int error);

/* Return error, and if the host answered -ENOMEM note the reason for that. */
int vmsi_refused_by_host(struct vms_space *space, long error);

#endif
