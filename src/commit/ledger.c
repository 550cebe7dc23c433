/* SPDX-License-Identifier: MIT */
#include "commit/commit.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/panic.h"

void vmsi_ledger_init(struct vmsi_ledger *ledger, size_t limit,
		      enum vms_commit_policy policy)
{
	*ledger = (struct vmsi_ledger){ .limit = limit, .policy = policy };
}

static bool fits(const struct vmsi_ledger *ledger, size_t net)
{
	switch (ledger->policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		return net <= ledger->limit;
	case VMS_COMMIT_STRICT:
		break;
	}
	return ledger->charged <= ledger->limit &&
		net <= ledger->limit - ledger->charged;
}

int vmsi_ledger_charge(struct vmsi_ledger *ledger, size_t bytes, size_t refund)
{
	if (bytes > refund && !fits(ledger, bytes - refund)) {
		ledger->refusals++;
		return -ENOMEM;
	}
	ledger->charged += bytes;
	/*
	 * The refund comes back within the same call, so the peak is of the
	 * net.
	 */
	if (bytes > refund && ledger->charged - refund > ledger->peak)
		ledger->peak = ledger->charged - refund;
	return 0;
}

void vmsi_ledger_charge_forced(struct vmsi_ledger *ledger, size_t bytes)
{
	ledger->charged += bytes;
	if (ledger->charged > ledger->peak)
		ledger->peak = ledger->charged;
}

void vmsi_ledger_uncharge(struct vmsi_ledger *ledger, size_t bytes)
{
	if (bytes > ledger->charged)
		vmsi_panic("R2: more was uncharged than had been charged");
	ledger->charged -= bytes;
}

bool vmsi_ledger_honours_noreserve(const struct vmsi_ledger *ledger)
{
	return ledger->policy != VMS_COMMIT_STRICT;
}

bool vmsi_commit_counts(int prot, uint32_t mapping_flags, uint32_t exempt)
{
	return (prot & PROT_WRITE) && !(mapping_flags & exempt);
}
