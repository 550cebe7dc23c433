/* SPDX-License-Identifier: MIT */
#include "pool/lane.h"

#include "base/align.h"
#include "pool/fork.h"

/* A lane for so much RAM: what it takes is less than a hundredth of that. */
#define RAM_OF_LANE ((size_t)8 << 20)

#define LANE_MAIN (-1)
#define LANE_SHARED (-2)

enum lane_state {
	UNOPENED,
	FREE,
	TAKEN,
	LOST,     /* there is no ring for it */
};

void vmsi_lanes_plan(struct vms_pool *pool)
{
	pool->store.lanes.count = (unsigned)vmsi_min(pool->ram / RAM_OF_LANE, VMSI_LANES);
}

size_t vmsi_lanes_bytes(const struct vms_pool *pool)
{
	return pool->store.lanes.count *
		vmsi_io_most_bytes(pool->depth, VMSI_IO_NO_THREADS);
}

static bool change(struct vmsi_lanes *lanes, unsigned number, int from, int to)
{
	return atomic_compare_exchange_strong_explicit(&lanes->states[number], &from, to,
						       memory_order_acquire,
						       memory_order_relaxed);
}

/* The child of a fork closes what is in the record: so no fork comes before it is there. */
static bool open_lane(struct vms_pool *pool, unsigned number)
{
	struct vmsi_lanes *lanes = &pool->store.lanes;
	struct vmsi_io *io;
	int error;

	if (!vmsi_pool_try_hold_forks()) {
		atomic_store(&lanes->states[number], UNOPENED);
		return false;
	}
	error = vmsi_io_open(pool->depth, VMSI_IO_NO_THREADS, &io);
	if (!error)
		lanes->ios[number] = io;
	vmsi_pool_release_forks();
	if (!error && vmsi_io_engine(io) == VMSI_IO_RING)
		return true;
	atomic_store(&lanes->states[number], LOST);
	return false;
}

struct vmsi_lane vmsi_lane_take(struct vms_pool *pool)
{
	struct vmsi_lanes *lanes = &pool->store.lanes;

	if (!atomic_exchange_explicit(&lanes->main_is_taken, true, memory_order_acquire))
		return (struct vmsi_lane){ pool->store.io, LANE_MAIN };
	/* Threads that carry out what is in a queue are more than one already. */
	for (unsigned i = 0; i < lanes->count &&
	     vmsi_io_engine(pool->store.io) == VMSI_IO_RING; i++)
		if (change(lanes, i, FREE, TAKEN) ||
		    (change(lanes, i, UNOPENED, TAKEN) && open_lane(pool, i)))
			return (struct vmsi_lane){ lanes->ios[i], (int)i };
	return (struct vmsi_lane){ pool->store.io, LANE_SHARED };
}

/* A ring that the kernel takes nothing from any more is not used again. */
static int state_of(const struct vmsi_io *io)
{
	return vmsi_io_engine(io) == VMSI_IO_RING ? FREE : LOST;
}

void vmsi_lane_give(struct vms_pool *pool, struct vmsi_lane lane)
{
	struct vmsi_lanes *lanes = &pool->store.lanes;

	if (lane.number == LANE_MAIN)
		atomic_store_explicit(&lanes->main_is_taken, false, memory_order_release);
	else if (lane.number != LANE_SHARED)
		atomic_store_explicit(&lanes->states[lane.number], state_of(lane.io),
				      memory_order_release);
}
