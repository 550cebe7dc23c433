/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/align.h"
#include "budget/budget.h"
#include "host/host.h"

/*
 * The account of a shared budget: what is charged is the sum over the slots.
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

static bool lock_byte(const struct vms_budget *budget, unsigned i, short type)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = i,
		.l_len = 1,
	};

	return vmsi_host.file_lock(budget->lock_fd, F_OFD_SETLK, &lock) == 0;
}

static void clear(struct vmsi_budget_slot *slot)
{
	atomic_store(&slot->asking, 0);
	atomic_store(&slot->charged, 0);
	atomic_store(&slot->pid, 0);
}

bool vmsi_slots_take(struct vms_budget *budget, unsigned i)
{
	if (!lock_byte(budget, i, F_WRLCK))
		return false;
	clear(&budget->shared->slots[i]);
	return true;
}

void vmsi_slots_release(struct vms_budget *budget, unsigned i)
{
	clear(&budget->shared->slots[i]);
	(void)lock_byte(budget, i, F_UNLCK);
}

static bool is_clear(const struct vmsi_budget_slot *slot)
{
	return atomic_load(&slot->pid) == 0 &&
		atomic_load(&slot->charged) == 0 &&
		atomic_load(&slot->asking) == 0;
}

void vmsi_slots_reap(struct vms_budget *budget)
{
	const unsigned used = slots_used(budget);

	if (!has_slot(budget))
		return;
	for (unsigned i = 0; i < used; i++)
		if (i != budget->slot && !is_clear(&budget->shared->slots[i]) &&
		    vmsi_slots_take(budget, i))
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
};

static struct totals read_totals(const struct vms_budget *budget)
{
	struct totals totals = { .charged = budget->ledger.charged };
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
	return totals;
}

size_t vmsi_slots_charged(struct vms_budget *budget)
{
	return read_totals(budget).charged;
}

void vmsi_slots_note_peak(struct vms_budget *budget)
{
	_Atomic uint64_t *peak = &head_of(budget)->peak;
	uint64_t charged = read_totals(budget).charged;
	uint64_t seen = atomic_load(peak);

	/* As many tries as there are processes to come in between. */
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS && seen < charged; i++)
		if (atomic_compare_exchange_strong(peak, &seen, charged))
			break;
}

void vmsi_slots_publish(struct vms_budget *budget)
{
	if (has_slot(budget))
		atomic_store(&slot_of(budget)->charged,
			     budget->ledger.charged);
}

/* --- charging ------------------------------------------------------------ */

static bool fits_beside(const struct vms_budget *budget, size_t others,
			size_t bytes)
{
	return vmsi_add_saturating(others, bytes) <=
		atomic_load(&head_of(budget)->limit);
}

/* Let those ahead of us have their answer. */
static void wait_a_round(struct vms_budget *budget, size_t bytes,
			 unsigned round, bool lower_asks)
{
	if (lower_asks)
		atomic_store(&slot_of(budget)->asking, 0);
	if (round < ROUNDS_OF_YIELDING)
		vmsi_host.yield();
	else
		vmsi_host.nanosleep(PAUSE);
	atomic_store(&slot_of(budget)->asking, bytes);
}

/* Ask for bytes; where they fit, the question still stands. */
static bool ask(struct vms_budget *budget, size_t bytes)
{
	size_t refused_at = 0;
	bool refused = false;

	atomic_store(&slot_of(budget)->asking, bytes);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct totals totals = read_totals(budget);
		size_t claimed = vmsi_add_saturating(totals.charged,
						     totals.asked);

		if (fits_beside(budget, claimed, bytes))
			return true;
		if (fits_beside(budget, totals.charged, bytes)) {
			refused = false;
			wait_a_round(budget, bytes, round, totals.lower_asks);
		} else if (refused && totals.charged == refused_at) {
			break;
		} else {
			refused = true;
			refused_at = totals.charged;
		}
		if (round % ROUNDS_TO_REAP == 0)
			vmsi_slots_reap(budget);
	}
	atomic_store(&slot_of(budget)->asking, 0);
	return false;
}

static bool may_charge(struct vms_budget *budget, size_t bytes)
{
	if (bytes > SIZE_MAX - budget->ledger.charged)
		return false;
	switch (budget->ledger.policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		return fits_beside(budget, 0, bytes);
	case VMS_COMMIT_STRICT:
		break;
	}
	return ask(budget, bytes);
}

int vmsi_slots_charge(struct vms_budget *budget, size_t bytes)
{
	if (budget->is_published ||
	    (!has_slot(budget) && vmsi_member_join(budget)) ||
	    !may_charge(budget, bytes))
		return -ENOMEM;
	vmsi_ledger_charge_forced(&budget->ledger, bytes, 0);
	vmsi_slots_publish(budget);
	vmsi_slots_note_peak(budget);
	atomic_store(&slot_of(budget)->asking, 0);
	return 0;
}
