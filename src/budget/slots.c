/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/align.h"
#include "budget/budget.h"
#include "host/host.h"

/*
 * The account of a shared budget: what is charged is the sum over the slots,
 * and over their objects (places.c).
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

static struct vmsi_budget_head *head_of(const struct vms_budget *budget)
{
	return &budget->shared->head;
}

static struct vmsi_budget_slot *slot_of(const struct vms_budget *budget)
{
	return &budget->shared->slots[budget->slot];
}

static bool has_slot(const struct vms_budget *budget)
{
	return budget->lock_fd >= 0;
}

static unsigned slots_used(const struct vms_budget *budget)
{
	return (unsigned)vmsi_min(atomic_load(&head_of(budget)->slots_used),
				  VMSI_BUDGET_SLOTS);
}

/* --- slots as such ------------------------------------------------------- */

static bool lock_byte(int lock_fd, unsigned i, short type)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = i,
		.l_len = 1,
	};

	return vmsi_host.file_lock(lock_fd, F_OFD_SETLK, &lock) == 0;
}

/* By who has its lock. */
static void clear(struct vms_budget *budget, unsigned i)
{
	struct vmsi_budget_slot *slot = &budget->shared->slots[i];

	vmsi_places_clear(budget, i);
	atomic_store(&slot->changing, 0);
	atomic_store(&slot->asking, 0);
	atomic_store(&slot->charged, 0);
	atomic_store(&slot->pid, 0);
}

bool vmsi_slots_take(struct vms_budget *budget, int lock_fd, unsigned i)
{
	if (!lock_byte(lock_fd, i, F_WRLCK))
		return false;
	clear(budget, i);
	return true;
}

void vmsi_slots_release(struct vms_budget *budget, unsigned i)
{
	clear(budget, i);
	(void)lock_byte(budget->lock_fd, i, F_UNLCK);
}

void vmsi_slots_note_used(struct vms_budget *budget, uint32_t used)
{
	_Atomic uint32_t *slots_used = &head_of(budget)->slots_used;
	uint32_t seen = atomic_load(slots_used);

	/* As many tries as there are processes to come in between. */
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS && seen < used; i++)
		if (atomic_compare_exchange_strong(slots_used, &seen, used))
			break;
}

static bool is_clear(const struct vmsi_budget_slot *slot)
{
	return atomic_load(&slot->pid) == 0 &&
		atomic_load(&slot->charged) == 0 &&
		atomic_load(&slot->asking) == 0 &&
		atomic_load(&slot->objects_used) == 0 &&
		atomic_load(&slot->changing) == 0;
}

void vmsi_slots_reap(struct vms_budget *budget)
{
	const unsigned used = slots_used(budget);

	if (!has_slot(budget))
		return;
	for (unsigned i = 0; i < used; i++)
		if (i != budget->slot && !is_clear(&budget->shared->slots[i]) &&
		    vmsi_slots_take(budget, budget->lock_fd, i))
			vmsi_slots_release(budget, i);
}

unsigned vmsi_slots_processes(const struct vms_budget *budget)
{
	const struct vmsi_budget_slot *slots = budget->shared->slots;
	const unsigned used = slots_used(budget);
	unsigned count = 0;

	for (unsigned i = 0; i < used; i++) {
		uint32_t pid = atomic_load(&slots[i].pid);
		unsigned earlier = 0;

		while (earlier < i && atomic_load(&slots[earlier].pid) != pid)
			earlier++;
		count += pid != 0 && earlier == i;
	}
	return count;
}

/* --- sums ---------------------------------------------------------------- */

struct totals {
	size_t charged;        /* with what this process has */
	size_t asked;          /* by others */
	bool lower_asks;       /* one in a lower slot does */
	struct vmsi_object_sums objects; /* which are in charged and in asked */
};

/* question: the object that this process asks for; NULL: none. */
static struct totals read_totals(struct vms_budget *budget,
				 const struct vmsi_held *question)
{
	struct totals totals = {
		.charged = budget->ledger.charged - budget->in_places,
	};
	const unsigned used = slots_used(budget);

	for (unsigned i = 0; i < used; i++) {
		struct vmsi_budget_slot *slot = &budget->shared->slots[i];
		size_t asked;

		if (i == budget->slot && has_slot(budget))
			continue;
		asked = atomic_load(&slot->asking);
		totals.asked = vmsi_add_saturating(totals.asked, asked);
		totals.lower_asks |= asked != 0 && i < budget->slot;
		totals.charged = vmsi_add_saturating(
			totals.charged, atomic_load(&slot->charged));
	}
	totals.objects = vmsi_places_sum(budget, used, question);
	totals.lower_asks |= totals.objects.lower_asks;
	totals.asked = vmsi_add_saturating(totals.asked,
					   totals.objects.asked);
	totals.charged = vmsi_add_saturating(totals.charged,
					     totals.objects.charged);
	return totals;
}

/* For figures: as settled as a few tries make it. */
#define TRIES 8

static struct totals read_settled(struct vms_budget *budget)
{
	struct totals totals = read_totals(budget, NULL);

	for (unsigned i = 0; i < TRIES && !totals.objects.is_settled; i++) {
		vmsi_host.yield();
		totals = read_totals(budget, NULL);
	}
	return totals;
}

size_t vmsi_slots_charged(struct vms_budget *budget)
{
	return read_settled(budget).charged;
}

/*
 * The slots are read one after the other, while objects go from one to another:
 * a sum that never was at one instant is no peak, and one above most never was.
 */
static void note_peak(struct vms_budget *budget, uint64_t most)
{
	_Atomic uint64_t *peak = &head_of(budget)->peak;
	struct totals totals = read_settled(budget);
	uint64_t charged = totals.charged;
	uint64_t seen = atomic_load(peak);

	if (!totals.objects.is_settled || charged > most)
		return;
	/* As many tries as there are processes to come in between. */
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS && seen < charged; i++)
		if (atomic_compare_exchange_strong(peak, &seen, charged))
			break;
}

/* What is charged without a question may pass the limit. */
void vmsi_slots_note_peak(struct vms_budget *budget)
{
	note_peak(budget, UINT64_MAX);
}

void vmsi_slots_publish(struct vms_budget *budget)
{
	if (has_slot(budget))
		atomic_store(&slot_of(budget)->charged,
			     budget->ledger.charged - budget->in_places);
}

/* --- charging ------------------------------------------------------------ */

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
		atomic_load(&head_of(budget)->limit);
}

/* What the answer yes adds to what is charged. */
static size_t wanted(const struct question *question,
		     const struct totals *totals)
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
		atomic_store(&slot_of(budget)->asking, question->bytes);
}

static void withdraw(struct vms_budget *budget,
		     const struct question *question)
{
	if (question->object)
		vmsi_places_ask(budget, question->object, 0);
	else
		atomic_store(&slot_of(budget)->asking, 0);
}

/* Let those ahead of us have their answer. */
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

static bool is_sure(const struct totals *totals, unsigned round)
{
	return totals->objects.is_settled ||
		(totals->objects.is_under_way && round >= ROUNDS_OF_CHANGES);
}

/* Whether nothing needs to be found room for, or there is beside others. */
static bool has_room(const struct vms_budget *budget, size_t others,
		     size_t bytes)
{
	return bytes == 0 || fits_beside(budget, others, bytes);
}

/* Where the answer is yes, the question still stands. */
static bool ask(struct vms_budget *budget, const struct question *question)
{
	size_t refused_at = 0;
	bool refused = false;

	pose(budget, question);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct totals totals = read_totals(budget, question->object);
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
	struct totals totals;

	if (question->bytes > SIZE_MAX - budget->ledger.charged)
		return false;
	switch (budget->ledger.policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		totals = read_totals(budget, question->object);
		return fits_beside(budget, 0, wanted(question, &totals));
	case VMS_COMMIT_STRICT:
		break;
	}
	return ask(budget, question);
}

static bool can_charge(struct vms_budget *budget)
{
	return !budget->is_published &&
		(has_slot(budget) || vmsi_member_join(budget) == 0);
}

bool vmsi_slots_ask_for_object(struct vms_budget *budget,
			       struct vmsi_held *held, size_t bytes,
			       size_t refund)
{
	struct question question = { bytes, held, refund };

	if (!can_charge(budget))
		return false;
	vmsi_places_get(budget, held);
	if (held->place == VMSI_NO_PLACE)
		question = (struct question){
			bytes - held->bytes - refund, NULL, 0,
		};
	return may_charge(budget, &question);
}

void vmsi_slots_granted(struct vms_budget *budget)
{
	vmsi_slots_publish(budget);
	note_peak(budget, budget->ledger.policy == VMS_COMMIT_STRICT ?
			  atomic_load(&head_of(budget)->limit) : UINT64_MAX);
	if (has_slot(budget))
		atomic_store(&slot_of(budget)->asking, 0);
}

int vmsi_slots_charge(struct vms_budget *budget, size_t bytes)
{
	const struct question question = { bytes, NULL, 0 };

	if (!can_charge(budget) || !may_charge(budget, &question))
		return -ENOMEM;
	vmsi_ledger_charge_forced(&budget->ledger, bytes, 0);
	vmsi_slots_granted(budget);
	return 0;
}
