/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/align.h"
#include "budget/ask.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "host/host.h"

/*
 * How a process charges a shared budget, without a lock between processes.
 *
 * Under VMS_COMMIT_STRICT it writes into its slot (shared.h) what it asks for,
 * the need, and then reads all slots. Of two processes that ask at once, at
 * least one sees the other's need, so they cannot both take what only
 * suffices for one. A request that fits beside all that is charged and asked
 * for is charged. One that does not fit beside what is charged is refused. In
 * between, the process in the lower slot goes first and the other waits.
 *
 * A process writes what it has charged before it takes its need back, and
 * readers read the need first. So a reader sees one of them, or both.
 *
 * The caller holds the lock of all budgets of the process, so a slot has one
 * writer.
 */

/*
 * So often a process waits for others that ask, which may have lost their
 * processor meanwhile: 0.2 seconds in all. Who takes longer was stopped, and
 * what it asks for counts as charged.
 */
#define ROUNDS 300
#define ROUNDS_OF_YIELDING 100
#define PAUSE 1000000 /* nanoseconds */

/*
 * After so many rounds, a process that is still changing an object was stopped
 * there, and the sum over objects is used as it is.
 */
#define ROUNDS_OF_CHANGES 250

/* Every so many rounds the slots of processes that have ended are cleared. */
#define ROUNDS_TO_REAP 64

/* A request for private memory, or for an object that has a place. */
struct need {
	size_t bytes;                  /* of an object, its whole size */
	struct vmsi_held *object;      /* NULL: private memory */
	size_t refund;                 /* bytes given back in the same step */
};

/* A charge that grows by nothing fits also where the limit is passed. */
static bool fits_beside(const struct vms_budget *budget, size_t others,
			size_t bytes)
{
	return bytes == 0 || vmsi_add_saturating(others, bytes) <=
		atomic_load(&vmsi_slots_head(budget)->limit);
}

/* By how many bytes the charge would grow. */
static size_t wanted(const struct need *need,
		     const struct vmsi_slot_totals *totals)
{
	size_t there = need->object ? totals->objects.of_question : 0;
	size_t more = need->bytes > there ? need->bytes - there : 0;

	return more > need->refund ? more - need->refund : 0;
}

static void pose(struct vms_budget *budget, const struct need *need)
{
	if (need->object)
		vmsi_places_ask(budget, need->object, need->bytes);
	else
		atomic_store(&vmsi_slots_own(budget)->asking, need->bytes);
}

static void withdraw(struct vms_budget *budget,
		     const struct need *need)
{
	if (need->object)
		vmsi_places_ask(budget, need->object, 0);
	else
		atomic_store(&vmsi_slots_own(budget)->asking, 0);
}

/* Wait. If a process in a lower slot asks, take the need back meanwhile. */
static void wait_a_round(struct vms_budget *budget,
			 const struct need *need, unsigned round,
			 bool lower_asks)
{
	if (lower_asks)
		withdraw(budget, need);
	if (round < ROUNDS_OF_YIELDING)
		vmsi_host.yield();
	else
		vmsi_host.nanosleep(PAUSE);
	if (lower_asks)
		pose(budget, need);
}

/* Whether a sum over objects may be used to grant something. */
static bool is_sure(const struct vmsi_slot_totals *totals, unsigned round)
{
	return totals->objects.is_exact ||
		(totals->objects.is_changing && round >= ROUNDS_OF_CHANGES);
}

/* Returns whether to charge the request. If so, the need stays. */
static bool ask(struct vms_budget *budget, const struct need *need)
{
	size_t refused_at = 0;
	bool refused = false;

	pose(budget, need);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct vmsi_slot_totals totals =
			vmsi_slots_total(budget, need->object);
		size_t bytes = wanted(need, &totals);
		size_t claimed = vmsi_add_saturating(totals.charged,
						     totals.asked);

		if (is_sure(&totals, round) && fits_beside(budget, claimed, bytes))
			return true;
		if (fits_beside(budget, totals.charged, bytes)) {
			refused = false;
			wait_a_round(budget, need, round,
				     totals.lower_asks);
		} else if (refused && totals.charged == refused_at) {
			break;
		} else {
			refused = true;
			refused_at = totals.charged;
		}
		if (round % ROUNDS_TO_REAP == 0)
			vmsi_slots_reap(budget);
	}
	withdraw(budget, need);
	return false;
}

static bool decide(struct vms_budget *budget,
		   const struct need *need)
{
	struct vmsi_slot_totals totals;

	if (need->bytes > SIZE_MAX - budget->ledger.charged)
		return false;
	switch (budget->ledger.policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		totals = vmsi_slots_total(budget, need->object);
		return fits_beside(budget, 0, wanted(need, &totals));
	case VMS_COMMIT_STRICT:
		break;
	}
	return ask(budget, need);
}

/* A process that found no slot when it joined looks for one at each charge. */
static bool get_slot(struct vms_budget *budget)
{
	return !budget->is_published &&
		(vmsi_slots_has_own(budget) || vmsi_member_join(budget) == 0);
}

bool vmsi_ask_for_object(struct vms_budget *budget, struct vmsi_held *held,
			 size_t bytes, size_t refund)
{
	struct need need = { bytes, held, refund };

	if (!get_slot(budget))
		return false;
	vmsi_places_get(budget, held);
	if (held->place == VMSI_NO_PLACE)
		need = (struct need){
			bytes - held->bytes - refund, NULL, 0,
		};
	return decide(budget, &need);
}

void vmsi_ask_granted(struct vms_budget *budget)
{
	vmsi_slots_publish(budget);
	vmsi_slots_note_peak(budget,
			     budget->ledger.policy == VMS_COMMIT_STRICT ?
			     atomic_load(&vmsi_slots_head(budget)->limit) :
			     UINT64_MAX);
	if (vmsi_slots_has_own(budget))
		atomic_store(&vmsi_slots_own(budget)->asking, 0);
}

int vmsi_ask_and_charge(struct vms_budget *budget, size_t bytes)
{
	const struct need need = { bytes, NULL, 0 };

	if (!get_slot(budget) || !decide(budget, &need))
		return -ENOMEM;
	vmsi_ledger_charge_forced(&budget->ledger, bytes, 0);
	vmsi_ask_granted(budget);
	return 0;
}
