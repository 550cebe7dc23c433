/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/align.h"
#include "budget/slots.h"
#include "host/host.h"

/*
 * Who has a slot of a shared budget, and the sum over all of them, which is
 * what is charged. The objects in their places are added by places.c.
 */

static unsigned slots_used(const struct vms_budget *budget)
{
	return (unsigned)vmsi_min(
		atomic_load(&vmsi_slots_head(budget)->slots_used),
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

/* Clear a slot whose lock the caller has. */
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
	_Atomic uint32_t *slots_used = &vmsi_slots_head(budget)->slots_used;
	uint32_t seen = atomic_load(slots_used);

	/* Each failure is another process's success, so the tries suffice. */
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

	if (!vmsi_slots_has_own(budget))
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

struct vmsi_slot_totals vmsi_slots_total(struct vms_budget *budget,
					 const struct vmsi_held *question)
{
	struct vmsi_slot_totals totals = {
		.charged = budget->ledger.charged - budget->in_places,
	};
	const unsigned used = slots_used(budget);

	for (unsigned i = 0; i < used; i++) {
		struct vmsi_budget_slot *slot = &budget->shared->slots[i];
		size_t asked;

		if (i == budget->slot && vmsi_slots_has_own(budget))
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

/* How often a sum is taken again, if an object was changed meanwhile. */
#define TRIES 8

static struct vmsi_slot_totals read_at_one_instant(struct vms_budget *budget)
{
	struct vmsi_slot_totals totals = vmsi_slots_total(budget, NULL);

	for (unsigned i = 0; i < TRIES && !totals.objects.is_exact; i++) {
		vmsi_host.yield();
		totals = vmsi_slots_total(budget, NULL);
	}
	return totals;
}

size_t vmsi_slots_charged(struct vms_budget *budget)
{
	return read_at_one_instant(budget).charged;
}

void vmsi_slots_note_peak(struct vms_budget *budget, uint64_t most)
{
	_Atomic uint64_t *peak = &vmsi_slots_head(budget)->peak;
	struct vmsi_slot_totals totals = read_at_one_instant(budget);
	uint64_t charged = totals.charged;
	uint64_t seen = atomic_load(peak);

	if (!totals.objects.is_exact || charged > most)
		return;
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS && seen < charged; i++)
		if (atomic_compare_exchange_strong(peak, &seen, charged))
			break;
}

void vmsi_slots_publish(struct vms_budget *budget)
{
	if (vmsi_slots_has_own(budget))
		atomic_store(&vmsi_slots_own(budget)->charged,
			     budget->ledger.charged - budget->in_places);
}
