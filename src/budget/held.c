/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "base/align.h"
#include "base/panic.h"
#include "budget/ask.h"
#include "budget/budget.h"
#include "budget/slots.h"
#include "host/host.h"

/*
 * Each budget of the process has a record of each object that it is charged
 * for. It counts the holders, the spaces and the budgets below, and charges the
 * object once for all of them. To its parent the budget is one holder. The
 * caller holds the lock of all budgets.
 */

/* --- records ------------------------------------------------------------- */

static void *get_chunk(void *context, size_t bytes)
{
	long address = vmsi_host.mmap(0, vmsi_align_up(bytes, vmsi_page_size()),
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)context;
	return address < 0 ? NULL : (void *)address;
}

static void put_chunk(void *context, void *chunk, size_t bytes)
{
	(void)context;
	vmsi_host.munmap((uintptr_t)chunk,
			 vmsi_align_up(bytes, vmsi_page_size()));
}

void vmsi_held_init(struct vms_budget *budget)
{
	struct vmsi_pool_source source = { get_chunk, put_chunk, NULL };

	vmsi_pool_init(&budget->held_pool, sizeof(struct vmsi_held), source);
}

void vmsi_held_end(struct vms_budget *budget)
{
	vmsi_pool_release(&budget->held_pool);
}

static struct vmsi_held **bucket_of(struct vms_budget *budget,
				    struct vmsi_object_id id)
{
	uint64_t hash = (id.inode ^ (id.device << 32)) *
		UINT64_C(0x9e3779b97f4a7c15);

	return &budget->held[(hash >> 32) % VMSI_HELD_BUCKETS];
}

static struct vmsi_held *find(struct vms_budget *budget,
			      struct vmsi_object_id id)
{
	struct vmsi_held *held = *bucket_of(budget, id);

	while (held && (held->id.inode != id.inode ||
			held->id.device != id.device))
		held = held->next;
	return held;
}

static struct vmsi_held *get(struct vms_budget *budget, struct vmsi_object_id id)
{
	struct vmsi_held *held = find(budget, id);

	if (!held)
		vmsi_panic("G6: an object is not held that should be");
	return held;
}

static struct vmsi_held *find_or_make(struct vms_budget *budget,
				      struct vmsi_object_id id)
{
	struct vmsi_held **bucket = bucket_of(budget, id);
	struct vmsi_held *held = find(budget, id);

	if (held)
		return held;
	if (vmsi_pool_reserve(&budget->held_pool, 1))
		return NULL;
	held = vmsi_pool_take(&budget->held_pool);
	*held = (struct vmsi_held){
		.next = *bucket, .id = id, .place = VMSI_NO_PLACE,
	};
	*bucket = held;
	return held;
}

static void drop(struct vms_budget *budget, struct vmsi_held *held)
{
	struct vmsi_held **link = bucket_of(budget, held->id);

	while (*link != held)
		link = &(*link)->next;
	*link = held->next;
	vmsi_places_put(budget, held);
	vmsi_pool_give(&budget->held_pool, held);
}

/* After a refusal: drop the records that were made for it. */
static void drop_unused(struct vms_budget *budget, struct vmsi_object_id id)
{
	for (; budget; budget = budget->parent) {
		struct vmsi_held *held = find(budget, id);

		if (held && held->holders == 0)
			drop(budget, held);
	}
}

/* --- hold ---------------------------------------------------------------- */

static size_t more_than_held(const struct vmsi_held *held, size_t bytes)
{
	return bytes > held->bytes ? bytes - held->bytes : 0;
}

/* Ask one level whether it can be charged for the object. */
static bool ask_level(struct vms_budget *budget, struct vmsi_held *held,
		 size_t bytes, size_t refund)
{
	size_t more = more_than_held(held, bytes);

	if (more <= refund)
		return true;
	return budget->shared ?
		vmsi_ask_for_object(budget, held, bytes, refund) :
		vmsi_ledger_fits(&budget->ledger, more - refund);
}

/* Charge one level for the object, and uncharge the refund. */
static void take(struct vms_budget *budget, struct vmsi_held *held,
		 size_t bytes, size_t refund)
{
	size_t more = more_than_held(held, bytes);

	if (budget->shared)
		vmsi_places_get(budget, held);
	if (more) {
		vmsi_ledger_charge_forced(&budget->ledger, more, refund);
		if (budget->shared)
			vmsi_places_set(budget, held, bytes);
		held->bytes = bytes;
	}
	vmsi_ledger_uncharge(&budget->ledger, refund);
	if (budget->shared)
		vmsi_ask_granted(budget);
}

static void take_at_all_levels(struct vms_budget *budget,
			       const struct vmsi_hold *hold, size_t refund)
{
	bool is_new = hold->before == 0;

	for (struct vms_budget *at = budget; at; at = at->parent) {
		struct vmsi_held *held = get(at, hold->id);
		bool was_held = held->holders > 0;

		held->holders += is_new;
		is_new = !was_held;
		take(at, held, hold->bytes, refund);
	}
}

int vmsi_held_hold(struct vms_budget *budget, const struct vmsi_hold *hold,
		   size_t refund, enum vmsi_held_how how,
		   struct vms_budget **refuser)
{
	for (struct vms_budget *at = budget; at; at = at->parent)
		if (!find_or_make(at, hold->id)) {
			drop_unused(budget, hold->id);
			return -EAGAIN;
		}
	/* A shared budget, which has no parent, is asked last: see charge. */
	for (struct vms_budget *at = budget; at && how == VMSI_HELD_ASK;
	     at = at->parent)
		if (!ask_level(at, get(at, hold->id), hold->bytes, refund)) {
			*refuser = at;
			drop_unused(budget, hold->id);
			return -ENOMEM;
		}
	take_at_all_levels(budget, hold, refund);
	return 0;
}

/* --- let go -------------------------------------------------------------- */

/* Count one holder less at one level. Returns whether it was the last. */
static bool let_go(struct vms_budget *budget, struct vmsi_object_id id,
		   enum vmsi_held_end end)
{
	struct vmsi_held *held = get(budget, id);
	size_t bytes;

	if (held->holders == 0)
		vmsi_panic("G6: an object was released that is not held");
	if (--held->holders > 0)
		return false;
	bytes = held->bytes;
	drop(budget, held);
	if (end == VMSI_HELD_TAKE_BACK)
		vmsi_ledger_take_back(&budget->ledger, bytes);
	else
		vmsi_ledger_uncharge(&budget->ledger, bytes);
	if (budget->shared)
		vmsi_slots_publish(budget);
	return true;
}

void vmsi_held_release(struct vms_budget *budget, struct vmsi_object_id id,
		       enum vmsi_held_end end)
{
	while (budget && let_go(budget, id, end))
		budget = budget->parent;
}

/* --- who an object is ---------------------------------------------------- */

struct vmsi_object_id vmsi_budget_new_object(struct vms_budget *budget)
{
	static _Atomic uint64_t made;
	struct vmsi_object_id id = { .device = VMSI_NO_DEVICE };

	while (budget->parent)
		budget = budget->parent;
	id.inode = budget->shared ?
		atomic_fetch_add(&budget->shared->head.objects_made, 1) :
		atomic_fetch_add(&made, 1);
	return id;
}
