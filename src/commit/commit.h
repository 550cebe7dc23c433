/* SPDX-License-Identifier: MIT */
#ifndef VMSI_COMMIT_COMMIT_H
#define VMSI_COMMIT_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

/*
 * The ledger: what has been promised, and whether more may be. Pure: limits
 * come in as data, the owner's lock guards it.
 */
struct vmsi_ledger {
	size_t limit;                  /* bytes */
	enum vms_commit_policy policy;
	size_t charged;                /* bytes */
	size_t peak;                   /* the most that was ever charged */
	uint64_t refusals;
};

void vmsi_ledger_init(struct vmsi_ledger *ledger, size_t limit,
		      enum vms_commit_policy policy);

/*
 * Charge bytes, of which refund are about to come back (a mapping that
 * replaces another is charged the net). Nothing is charged for a refusal.
 * Returns 0 or -ENOMEM.
 */
int vmsi_ledger_charge(struct vmsi_ledger *ledger, size_t bytes, size_t refund);

/* Charge what nobody could refuse: a stack that has grown by being touched. */
void vmsi_ledger_charge_forced(struct vmsi_ledger *ledger, size_t bytes);

void vmsi_ledger_uncharge(struct vmsi_ledger *ledger, size_t bytes);

/* Whether the policy honours MAP_NORESERVE. */
bool vmsi_ledger_honours_noreserve(const struct vmsi_ledger *ledger);

/*
 * Whether a private mapping is charged when it is made, or becomes so, with
 * this protection: private, writable, and none of the kinds that Linux leaves
 * out. mapping_flags is of enum vmsi_mapping_flags, as data: this room knows
 * only the bits that it is given in exempt.
 */
bool vmsi_commit_counts(int prot, uint32_t mapping_flags, uint32_t exempt);

#endif
