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

void vmsi_ledger_put_under(struct vmsi_ledger *ledger,
			   const struct vmsi_ledger_upper *upper,
			   void *context)
{
	ledger->upper = upper;
	ledger->upper_context = context;
}

bool vmsi_ledger_fits(const struct vmsi_ledger *ledger, size_t bytes)
{
	return vmsi_commit_fits(ledger->policy, ledger->limit, ledger->charged,
				bytes);
}

static size_t net_of(size_t bytes, size_t refund)
{
	return bytes > refund ? bytes - refund : 0;
}

/* Note a charge of bytes here, of which only net was charged above. */
static void note_charge(struct vmsi_ledger *ledger, size_t bytes, size_t net)
{
	ledger->charged += bytes;
	if (ledger->upper)
		ledger->ahead += bytes - net;
	/* The refund comes back within the same call, and is in no peak. */
	if (net && ledger->charged - (bytes - net) > ledger->peak)
		ledger->peak = ledger->charged - (bytes - net);
}

int vmsi_ledger_charge(struct vmsi_ledger *ledger, size_t bytes, size_t refund)
{
	size_t net = net_of(bytes, refund);

	if (net && !vmsi_ledger_fits(ledger, net)) {
		ledger->refusals++;
		return -ENOMEM;
	}
	if (net && ledger->upper &&
	    ledger->upper->charge(ledger->upper_context, net))
		return -EDQUOT;
	note_charge(ledger, bytes, net);
	return 0;
}

void vmsi_ledger_charge_forced(struct vmsi_ledger *ledger, size_t bytes,
			       size_t refund)
{
	size_t net = net_of(bytes, refund);

	if (net && ledger->upper)
		ledger->upper->charge_forced(ledger->upper_context, net);
	note_charge(ledger, bytes, net);
}

/* Uncharge bytes here. Returns how many of them are charged above too. */
static size_t lower(struct vmsi_ledger *ledger, size_t bytes)
{
	size_t not_above = bytes < ledger->ahead ? bytes : ledger->ahead;

	if (bytes > ledger->charged)
		vmsi_panic("R2: more was uncharged than had been charged");
	ledger->charged -= bytes;
	ledger->ahead -= not_above;
	return ledger->upper ? bytes - not_above : 0;
}

void vmsi_ledger_uncharge(struct vmsi_ledger *ledger, size_t bytes)
{
	const size_t above = lower(ledger, bytes);

	if (bytes)
		ledger->peak_kept = ledger->peak;
	if (above)
		ledger->upper->uncharge(ledger->upper_context, above);
}

/*
 * Since peak_kept was set nothing was uncharged but what was taken back, so what
 * is charged now is the most since then.
 */
void vmsi_ledger_take_back(struct vmsi_ledger *ledger, size_t bytes)
{
	const size_t above = lower(ledger, bytes);

	if (bytes)
		ledger->peak = ledger->peak_kept > ledger->charged ?
			ledger->peak_kept : ledger->charged;
	if (above)
		ledger->upper->take_back(ledger->upper_context, above);
}

/* --- objects ------------------------------------------------------------- */

/* What the ledger is charged for a hold. */
static size_t bytes_here(const struct vmsi_hold *hold,
			 enum vmsi_hold_level level)
{
	return level == VMSI_HOLD_HERE ? hold->bytes - hold->before : 0;
}

/*
 * The part of the refund that is uncharged above together with the hold. It goes
 * into ahead, so that vmsi_ledger_uncharge does not uncharge it above again.
 */
static size_t given_above(const struct vmsi_ledger *ledger,
			  const struct vmsi_hold *hold, size_t refund)
{
	const size_t more = hold->bytes - hold->before;

	if (!ledger->upper)
		return 0;
	return more < refund ? more : refund;
}

/* Note here a hold that was made above, where so many bytes were uncharged. */
static void note_hold(struct vmsi_ledger *ledger, size_t here, size_t refund,
		      size_t above)
{
	const size_t net = net_of(here, refund);

	ledger->charged += here;
	ledger->ahead += above;
	if (net && ledger->charged - (here - net) > ledger->peak)
		ledger->peak = ledger->charged - (here - net);
}

int vmsi_ledger_hold(struct vmsi_ledger *ledger, const struct vmsi_hold *hold,
		     enum vmsi_hold_level level, size_t refund)
{
	const size_t here = bytes_here(hold, level);
	const size_t net = net_of(here, refund);
	const size_t above = given_above(ledger, hold, refund);
	int error;

	if (net && !vmsi_ledger_fits(ledger, net)) {
		ledger->refusals++;
		return -ENOMEM;
	}
	error = ledger->upper ?
		ledger->upper->hold(ledger->upper_context, hold, above) : 0;
	if (error)
		return error == -EAGAIN ? error : -EDQUOT;
	note_hold(ledger, here, refund, above);
	return 0;
}

int vmsi_ledger_hold_forced(struct vmsi_ledger *ledger,
			    const struct vmsi_hold *hold,
			    enum vmsi_hold_level level, size_t refund)
{
	const size_t above = given_above(ledger, hold, refund);
	int error = ledger->upper ?
		ledger->upper->hold_forced(ledger->upper_context, hold,
					   above) : 0;

	if (!error)
		note_hold(ledger, bytes_here(hold, level), refund, above);
	return error;
}

static void lower_here(struct vmsi_ledger *ledger, size_t bytes)
{
	if (bytes > ledger->charged)
		vmsi_panic("R2: more was uncharged than had been charged");
	ledger->charged -= bytes;
}

void vmsi_ledger_release(struct vmsi_ledger *ledger, struct vmsi_object_id id,
			 size_t bytes_here)
{
	lower_here(ledger, bytes_here);
	if (bytes_here)
		ledger->peak_kept = ledger->peak;
	if (ledger->upper)
		ledger->upper->release(ledger->upper_context, id);
}

void vmsi_ledger_take_back_hold(struct vmsi_ledger *ledger,
				const struct vmsi_hold *hold,
				enum vmsi_hold_level level)
{
	const size_t here = bytes_here(hold, level);
	const size_t refund = ledger->ahead;

	lower_here(ledger, here);
	ledger->ahead = 0;
	if (here)
		ledger->peak = ledger->peak_kept > ledger->charged ?
			ledger->peak_kept : ledger->charged;
	if (ledger->upper)
		ledger->upper->take_back_hold(ledger->upper_context, hold,
					      refund);
}

/* --- the end, and the policy --------------------------------------------- */

void vmsi_ledger_end(struct vmsi_ledger *ledger)
{
	vmsi_ledger_uncharge(ledger, ledger->charged);
	ledger->upper = NULL;
}

bool vmsi_ledger_honours_noreserve(const struct vmsi_ledger *ledger)
{
	return ledger->policy != VMS_COMMIT_STRICT &&
		(!ledger->upper ||
		 ledger->upper->honours_noreserve(ledger->upper_context));
}

bool vmsi_commit_counts(int prot, uint32_t mapping_flags, uint32_t exempt)
{
	return (prot & PROT_WRITE) && !(mapping_flags & exempt);
}
