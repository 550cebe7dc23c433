/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/align.h"
#include "budget/ask.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "host/host.h"

/*
 * Charging a shared budget.
 *
 * To charge under VMS_COMMIT_STRICT, a process writes into its slot what it is
 * asking for, then reads all slots. Of two that ask at the same time, at least
 * one sees the other's question, so both cannot take what is left for one. If
 * the request fits beside all that is charged and asked for, it is charged; if
 * it does not fit beside what is charged, it is refused; in between, the one in
 * the lower slot goes first.
 *
 * A process that has charged something writes that before it takes its question
 * back, and readers read the question first: they can see both, never neither.
 *
 * In this process the lock of all budgets is held, so each slot has one writer.
 */

/*
 * Rounds of waiting for others that ask: they may have lost their processor in
 * the midst of it. Whoever takes longer than 0.2 seconds is stopped, and counts
 * as charged.
 */
#define ROUNDS 300
#define ROUNDS_OF_YIELDING 100
#define PAUSE 1000000 /* nanoseconds */

/*
 * After so many rounds, whoever is in the midst of changing an object is stopped
 * there: its objects count as they are.
 */
#define ROUNDS_OF_CHANGES 250

/* After so many rounds, whoever is waited for may have ended. */
#define ROUNDS_TO_REAP 64

/* What a process asks for. */
struct question {
	size_t bytes;                  /* of the object: all that it has */
	struct vmsi_held *object;      /* that has a place; NULL: private memory */
	size_t refund;                 /* that comes back in the same step */
};

static bool fits_beside(const struct vms_budget *budget, size_t others,
			size_t bytes)
{
	return vmsi_add_saturating(others, bytes) <=
		atomic_load(&vmsi_slots_head(budget)->limit);
}

/* The bytes by which the charge grows if the answer is yes. */
static size_t wanted(const struct question *question,
		     const struct vmsi_slot_totals *totals)
{
	size_t there = question->object ? totals->objects.of_question : 0;
	size_t more = question->bytes > there ? question->bytes - there : 0;

	return more > question->refund ? more - question->refund : 0;
}

static void pose(struct vms_budget *budget, const struct question *question)
{
	if (question->object)
		vmsi_places_ask(budget, question->object, question->bytes);
	else
		atomic_store(&vmsi_slots_own(budget)->asking, question->bytes);
}

static void withdraw(struct vms_budget *budget,
		     const struct question *question)
{
	if (question->object)
		vmsi_places_ask(budget, question->object, 0);
	else
		atomic_store(&vmsi_slots_own(budget)->asking, 0);
}

/* Wait, so that processes in lower slots get their answer first. */
static void wait_a_round(struct vms_budget *budget,
			 const struct question *question, unsigned round,
			 bool lower_asks)
{
	if (lower_asks)
		withdraw(budget, question);
	if (round < ROUNDS_OF_YIELDING)
		vmsi_host.yield();
	else
		vmsi_host.nanosleep(PAUSE);
	if (lower_asks)
		pose(budget, question);
}

static bool is_sure(const struct vmsi_slot_totals *totals, unsigned round)
{
	return totals->objects.is_exact ||
		(totals->objects.is_changing && round >= ROUNDS_OF_CHANGES);
}

/* Whether the request needs no room, or finds it beside what others have. */
static bool has_room(const struct vms_budget *budget, size_t others,
		     size_t bytes)
{
	return bytes == 0 || fits_beside(budget, others, bytes);
}

/* Returns whether there is room; then the question still stands. */
static bool ask(struct vms_budget *budget, const struct question *question)
{
	size_t refused_at = 0;
	bool refused = false;

	pose(budget, question);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct vmsi_slot_totals totals =
			vmsi_slots_total(budget, question->object);
		size_t bytes = wanted(question, &totals);
		size_t claimed = vmsi_add_saturating(totals.charged,
						     totals.asked);

		if (is_sure(&totals, round) && has_room(budget, claimed, bytes))
			return true;
		if (has_room(budget, totals.charged, bytes)) {
			refused = false;
			wait_a_round(budget, question, round,
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
	withdraw(budget, question);
	return false;
}

static bool may_charge(struct vms_budget *budget,
		       const struct question *question)
{
	struct vmsi_slot_totals totals;

	if (question->bytes > SIZE_MAX - budget->ledger.charged)
		return false;
	switch (budget->ledger.policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		totals = vmsi_slots_total(budget, question->object);
		return fits_beside(budget, 0, wanted(question, &totals));
	case VMS_COMMIT_STRICT:
		break;
	}
	return ask(budget, question);
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
	struct question question = { bytes, held, refund };

	if (!get_slot(budget))
		return false;
	vmsi_places_get(budget, held);
	if (held->place == VMSI_NO_PLACE)
		question = (struct question){
			bytes - held->bytes - refund, NULL, 0,
		};
	return may_charge(budget, &question);
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
	const struct question question = { bytes, NULL, 0 };

	if (!get_slot(budget) || !may_charge(budget, &question))
		return -ENOMEM;
	vmsi_ledger_charge_forced(&budget->ledger, bytes, 0);
	vmsi_ask_granted(budget);
	return 0;
}
