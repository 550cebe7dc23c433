/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "host/uring.h"
#include "io_explorer.h"

/* The ring of the explorer: one result at a time, as late as can be. */

static int ring_open(struct vmsi_uring *ring, unsigned entries)
{
	(void)ring;
	(void)entries;
	return 0;
}

static void ring_close(struct vmsi_uring *ring)
{
	(void)ring;
	if (world.flying_count)
		schedule_fail("the ring is closed with a request in it");
}

static bool may_give(const struct vmsi_io_request *request)
{
	return running == SPARE || (!request->is_detached &&
				    world.givers[request - world.requests] == running);
}

static bool ring_add(struct vmsi_uring *ring, const struct vmsi_uring_operation *operation)
{
	(void)ring;
	if (operation->opcode != VMSI_URING_NOTHING) {
		if (world.added_count + world.flying_count == made.depth)
			schedule_fail("more requests than the ring has entries");
		if (!may_give(operation->name))
			schedule_fail("a thread gives the ring what is not its own");
	}
	world.added[world.added_count++] = operation->name;
	return true;
}

/*
 * Whoever waits for results looks again after what is nothing, and has no name; the next one
 * does, where nobody waits.
 */
static void take_off(struct vmsi_io_request *request)
{
	if (!request) {
		if (io_fault != DEAF_RING)
			world.is_woken = 1;
		return;
	}
	world.flying[world.flying_count++] = request;
	world.taken++;
}

/* One after the other is taken, until the ring breaks. */
static int ring_submit(struct vmsi_uring *ring)
{
	(void)ring;
	if (made.breaks_after && world.taken == made.breaks_after)
		return -EIO;
	take_off(world.added[0]);
	world.added_count--;
	memmove(world.added, world.added + 1, world.added_count * sizeof(world.added[0]));
	schedule_wake(&world.flying_count);
	return 1;
}

/* What gives its result next, if anything can by now. */
static size_t next_result(void)
{
	size_t place = 0;

	while (place < world.flying_count && world.taken < made.late_until &&
	       world.flying[place] == &world.requests[0])
		place++;
	return place;
}

static int ring_reap(struct vmsi_uring *ring, struct vmsi_uring_result *results,
		     unsigned most, bool wait)
{
	size_t place;

	(void)ring;
	(void)most;
	io_step(&world.flying_count);
	while (wait && next_result() == world.flying_count && !world.is_woken)
		io_sleep_on(&world.flying_count);
	world.is_woken = 0;
	place = next_result();
	if (place == world.flying_count)
		return 0;
	results[0] = (struct vmsi_uring_result){
		.name = world.flying[place],
		.result = (long)world.flying[place]->length,
	};
	world.flying_count--;
	memmove(world.flying + place, world.flying + place + 1,
		(world.flying_count - place) * sizeof(world.flying[0]));
	world.flying[world.flying_count] = NULL;
	return 1;
}

struct vmsi_uring_calls vmsi_uring = {
	.open = ring_open,
	.close = ring_close,
	.add = ring_add,
	.submit = ring_submit,
	.reap = ring_reap,
};

