/* SPDX-License-Identifier: MIT */
#include <vmspace/budget.h>

#include "pool/layout.h"
#include "pool/miss.h"
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "space/inside.h"

/* vms_pool_set_ram. One thread at a time is in it. */

/* Free slots beyond the limit go at once. Returns whether there are too many still. */
static bool set_limit(struct vms_pool *pool, size_t ram)
{
	bool has_too_many;

	vmsi_latch_acquire(&pool->lock);
	pool->ram = ram;
	pool->limit = vmsi_room_limit(pool, ram);
	vmsi_room_trim(pool);
	has_too_many = vmsi_room_owned(pool) > pool->limit;
	vmsi_latch_release(&pool->lock);
	return has_too_many;
}

static bool fits(struct vms_pool *pool, size_t ram)
{
	bool answer;

	vmsi_latch_acquire(&pool->lock);
	answer = ram <= pool->ram_most && vmsi_room_limit(pool, ram) >= VMSI_SLOTS_LEAST;
	vmsi_latch_release(&pool->lock);
	return answer;
}

static int shrink(struct vms_pool *pool, size_t ram)
{
	while (set_limit(pool, ram)) {
		const int error = vmsi_make_room(pool);

		if (error)
			return error;
	}
	return 0;
}

static int change(struct vms_pool *pool, size_t ram)
{
	const size_t before = pool->ram;
	const size_t more = ram > before ? ram - before : 0;
	size_t less;
	int error;

	if (!fits(pool, ram))
		return -EINVAL;
	if (more && pool->budget && vms_budget_charge(pool->budget, more) != 0)
		return -errno;
	error = ram < before ? vmsi_layout_thin(pool) : 0;
	if (!error)
		error = shrink(pool, ram);
	/* What left has gone to the store, which had its RAM until then. */
	if (!error && pool->store.aside.swap)
		error = vmsi_swap_set_ram(pool->store.aside.swap,
					  vmsi_room_swap(pool, ram));
	if (error)
		(void)set_limit(pool, before);
	less = error ? more : before - vmsi_min(ram, before);
	if (less && pool->budget)
		(void)vms_budget_uncharge(pool->budget, less);
	return error;
}

int vms_pool_set_ram(vms_pool *pool, size_t ram)
{
	const int earlier = errno;
	struct vmsi_shield shield;
	int error = vmsi_pool_enter(pool);

	if (!error && atomic_exchange(&pool->is_resizing, true))
		error = -EBUSY;
	if (error)
		return vmsi_status(error);
	vmsi_shield_raise(pool, &shield);
	error = change(pool, ram);
	vmsi_shield_lower(&shield);
	atomic_store(&pool->is_resizing, false);
	errno = error ? -error : earlier;
	return error ? -1 : 0;
}
