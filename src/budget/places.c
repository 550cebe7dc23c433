/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/align.h"
#include "budget/distinct.h"
#include "budget/slots.h"
#include "host/host.h"

/*
 * A process that holds an object writes it into a place of its slot. Readers
 * count an object once, in however many slots it is (distinct.c). A process may
 * let an object go just when another takes it, and a reader that looked at one
 * slot too early and at the other too late would see neither. So a sum must be
 * of one instant:
 *
 *   writer: changing = 1; one store; changes++; changing = 0
 *   reader: changes; all places; in each slot, is changing 0?; changes
 *
 * The sum is exact if changes is the same both times, and changing of each slot
 * was 0 after its places had been read. For then no store came in between: it
 * would have been counted in changes before its changing became 0. An exact sum
 * stays right until changes grows.
 *
 * A store writes bytes or asking of a place; its identity is written while both
 * are 0. So a process that ends in the midst leaves the old or the new value,
 * and changing at 1 until its slot is cleared.
 *
 * A process knows its own places from its records, since others can write
 * anything into its slot.
 */

#define NO_OBJECTS ((struct vmsi_object_sums){ .is_exact = true })

static void begin_change(struct vms_budget *budget, unsigned slot)
{
	atomic_store(&budget->shared->slots[slot].changing, 1);
}

static void end_change(struct vms_budget *budget, unsigned slot)
{
	atomic_fetch_add(&budget->shared->head.changes, 1);
	atomic_store(&budget->shared->slots[slot].changing, 0);
}

static void store(struct vms_budget *budget, unsigned slot,
		  _Atomic uint64_t *what, size_t value)
{
	begin_change(budget, slot);
	atomic_store(what, value);
	end_change(budget, slot);
}

static unsigned places_used(const struct vms_budget *budget, unsigned slot)
{
	return (unsigned)vmsi_min(
		atomic_load(&budget->shared->slots[slot].objects_used),
		VMSI_BUDGET_OBJECTS);
}

void vmsi_places_clear(struct vms_budget *budget, unsigned slot)
{
	const unsigned used = places_used(budget, slot);

	if (used == 0)
		return;
	begin_change(budget, slot);
	for (unsigned i = 0; i < used; i++) {
		atomic_store(&budget->shared->objects[slot][i].bytes, 0);
		atomic_store(&budget->shared->objects[slot][i].asking, 0);
	}
	atomic_store(&budget->shared->slots[slot].objects_used, 0);
	end_change(budget, slot);
}

/* --- the places of this process ------------------------------------------ */

/* Write the identity of an object into a place whose bytes and asking are 0. */
static void identify(struct vms_budget *budget, unsigned slot, unsigned place,
		     struct vmsi_object_id id)
{
	struct vmsi_budget_object *object =
		&budget->shared->objects[slot][place];
	_Atomic uint32_t *used = &budget->shared->slots[slot].objects_used;

	atomic_store(&object->device, id.device);
	atomic_store(&object->inode, id.inode);
	if (atomic_load(used) <= place)
		atomic_store(used, place + 1);
}

void vmsi_places_get(struct vms_budget *budget, struct vmsi_held *held)
{
	if (held->place != VMSI_NO_PLACE || !vmsi_slots_has_own(budget))
		return;
	for (unsigned i = 0; i < VMSI_BUDGET_OBJECTS; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if (budget->places[i / 64] & bit)
			continue;
		budget->places[i / 64] |= bit;
		held->place = i;
		identify(budget, budget->slot, i, held->id);
		return;
	}
}

static struct vmsi_budget_object *object_of(struct vms_budget *budget,
					    const struct vmsi_held *held)
{
	return &budget->shared->objects[budget->slot][held->place];
}

void vmsi_places_ask(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes)
{
	store(budget, budget->slot, &object_of(budget, held)->asking, bytes);
}

void vmsi_places_set(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes)
{
	struct vmsi_budget_object *object;

	if (held->place == VMSI_NO_PLACE)
		return;
	object = object_of(budget, held);
	store(budget, budget->slot, &object->bytes, bytes);
	if (atomic_load(&object->asking))
		store(budget, budget->slot, &object->asking, 0);
	budget->in_places += bytes - held->bytes;
}

void vmsi_places_put(struct vms_budget *budget, struct vmsi_held *held)
{
	if (held->place == VMSI_NO_PLACE)
		return;
	vmsi_places_set(budget, held, 0);
	budget->places[held->place / 64] &=
		~(UINT64_C(1) << held->place % 64);
	held->place = VMSI_NO_PLACE;
}

void vmsi_places_forget(struct vms_budget *budget)
{
	memset(budget->places, 0, sizeof(budget->places));
	budget->in_places = 0;
	budget->sums_known = false;
	vmsi_for_each_held(budget, held)
		held->place = VMSI_NO_PLACE;
}

void vmsi_places_fill(struct vms_budget *budget)
{
	vmsi_places_forget(budget);
	vmsi_for_each_held(budget, held) {
		vmsi_places_get(budget, held);
		if (held->place == VMSI_NO_PLACE)
			continue;
		store(budget, budget->slot, &object_of(budget, held)->bytes,
		      held->bytes);
		budget->in_places += held->bytes;
	}
}

void vmsi_places_copy(struct vms_budget *budget, unsigned slot)
{
	vmsi_for_each_held(budget, held) {
		if (held->place == VMSI_NO_PLACE)
			continue;
		identify(budget, slot, held->place, held->id);
		store(budget, slot,
		      &budget->shared->objects[slot][held->place].bytes,
		      held->bytes);
	}
}

/* --- sums ---------------------------------------------------------------- */

/* One tally over all places. */
struct tally {
	struct vms_budget *budget;
	const struct vmsi_held *question; /* asked for by this process */
	struct vmsi_object_sums sums;
	bool somebody_asks;               /* others, for other objects */
};

static size_t count_places(const struct vms_budget *budget, unsigned slots)
{
	size_t count = 0;

	for (unsigned i = 0; i < slots; i++)
		count += places_used(budget, i);
	return count;
}

static bool is_of(const struct vmsi_budget_object *object,
		  const struct vmsi_held *question)
{
	return question && atomic_load(&object->inode) == question->id.inode &&
		atomic_load(&object->device) == question->id.device;
}

/* Note who has what is asked for, and who else asks. */
static void look_at(struct tally *tally, unsigned slot,
		    const struct vmsi_budget_object *object)
{
	const bool is_own = slot == tally->budget->slot &&
		vmsi_slots_has_own(tally->budget);

	if (is_of(object, tally->question))
		tally->sums.of_question = vmsi_max(tally->sums.of_question,
						  atomic_load(&object->bytes));
	else if (!is_own && atomic_load(&object->asking)) {
		tally->somebody_asks = true;
		tally->sums.lower_asks |= slot < tally->budget->slot;
	}
}

static size_t sum_up(struct tally *tally, unsigned slots,
		     enum vmsi_object_value value)
{
	struct vms_budget *budget = tally->budget;
	const struct vmsi_budget_object *all = budget->shared->objects[0];
	struct vmsi_distinct distinct;

	vmsi_distinct_begin(&distinct, budget->table, all,
			    count_places(budget, slots));
	for (unsigned i = 0; i < slots; i++) {
		const unsigned used = places_used(budget, i);

		for (unsigned k = 0; k < used; k++) {
			uint32_t index = i * VMSI_BUDGET_OBJECTS + k;
			enum vmsi_object_value here = value;

			look_at(tally, i, &all[index]);
			/*
			 * Who asks for the same object needs nothing more, for
			 * it is charged once.
			 */
			if (is_of(&all[index], tally->question))
				here = VMSI_OBJECT_CHARGED;
			if (vmsi_object_value(&all[index], here))
				vmsi_distinct_add(&distinct, index, here);
		}
		if (atomic_load(&budget->shared->slots[i].changing)) {
			tally->sums.is_exact = false;
			tally->sums.is_changing = true;
		}
	}
	return distinct.sum;
}

static struct vmsi_object_sums
walk_places(struct vms_budget *budget, unsigned slots,
	    const struct vmsi_held *question)
{
	struct tally tally = { budget, question, NO_OBJECTS, false };
	_Atomic uint64_t *changes = &budget->shared->head.changes;
	uint64_t before = atomic_load(changes);

	tally.sums.charged = sum_up(&tally, slots, VMSI_OBJECT_CHARGED);
	if (tally.somebody_asks) {
		size_t claimed = sum_up(&tally, slots, VMSI_OBJECT_CLAIMED);

		tally.sums.asked = claimed > tally.sums.charged ?
			claimed - tally.sums.charged : 0;
	}
	if (atomic_load(changes) != before) {
		tally.sums.is_exact = false;
		tally.sums.is_changing = false;
	}
	budget->sums_known = tally.sums.is_exact && !question;
	budget->sums = tally.sums;
	budget->sums_of = before;
	return tally.sums;
}

struct vmsi_object_sums vmsi_places_sum(struct vms_budget *budget,
					unsigned slots,
					const struct vmsi_held *question)
{
	if (!question && budget->sums_known &&
	    atomic_load(&budget->shared->head.changes) == budget->sums_of)
		return budget->sums;
	return walk_places(budget, slots, question);
}
