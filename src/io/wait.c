/* SPDX-License-Identifier: MIT */
#include "io/wait.h"

#include "io/end.h"
#include "io/keeper.h"
#include "io/ring.h"
#include "io/workers.h"

static bool has_ended(const struct vmsi_io_request *request)
{
	return atomic_load_explicit(&request->has_ended, memory_order_acquire) != 0;
}

static bool is_over(const struct vmsi_io *io, const struct vmsi_io_request *request)
{
	return request ? has_ended(request) : io->in_flight == 0;
}

static void remove_waiter(struct vmsi_io *io, const struct vmsi_io_waiter *waiter)
{
	struct vmsi_io_waiter **link = &io->waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
}

/* Sleep until the request has ended, or this thread shall be the reaper. */
static void sleep_as_waiter(struct vmsi_io *io, const struct vmsi_io_request *request)
{
	struct vmsi_io_waiter waiter = { .next = io->waiters, .request = request };

	/* It is taken out below. */
	/* cppcheck-suppress autoVariables */
	io->waiters = &waiter;
	vmsi_lock_release(&io->lock);
	vmsi_io_sleep(&waiter.is_called, 0);
	vmsi_lock_acquire(&io->lock);
	remove_waiter(io, &waiter);
}

/*
 * What waits for a place in the ring is the ring's; but what waits for a thread there that
 * gives it to the ring is anybody's, where none can be had.
 */
static struct vmsi_io_request *take_from_queue(struct vmsi_io *io)
{
	return vmsi_io_engine(io) == VMSI_IO_THREADS ||
			(!io->has_keeper && vmsi_ring_has_room(io)) ?
		vmsi_io_pop(io) : NULL;
}

void vmsi_io_wait_until_over(struct vmsi_io *io, const struct vmsi_io_request *request)
{
	bool stands_in;

	vmsi_lock_acquire(&io->lock);
	while (!is_over(io, request)) {
		struct vmsi_io_request *other;

		vmsi_ring_fill(io);
		if (vmsi_ring_needs_reaper(io)) {
			vmsi_ring_reap(io, true);
			vmsi_keeper_call(io);
		} else if ((other = take_from_queue(io)) != NULL) {
			vmsi_lock_release(&io->lock);
			vmsi_io_carry_out(io, other);
		} else {
			sleep_as_waiter(io, request);
		}
	}
	vmsi_keeper_hand_over(io);
	stands_in = vmsi_workers_are_missed(io);
	vmsi_lock_release(&io->lock);
	if (stands_in)
		vmsi_workers_stand_in(io);
}

long vmsi_io_wait(struct vmsi_io *io, struct vmsi_io_request *request)
{
	if (!has_ended(request))
		vmsi_io_wait_until_over(io, request);
	return request->result;
}

/* Who only looks, and never waits, would else be the last to do it, with no thread. */
static void do_one(struct vmsi_io *io)
{
	struct vmsi_io_request *request = io->worker_count ? NULL : take_from_queue(io);

	if (!request)
		return;
	vmsi_lock_release(&io->lock);
	vmsi_io_carry_out(io, request);
}

bool vmsi_io_has_ended(struct vmsi_io *io, struct vmsi_io_request *request)
{
	bool stands_in;

	if (has_ended(request))
		return true;
	vmsi_lock_acquire(&io->lock);
	if (vmsi_ring_needs_reaper(io)) {
		vmsi_ring_reap(io, false);
		vmsi_keeper_call(io);
		vmsi_keeper_hand_over(io);
	}
	do_one(io);
	stands_in = vmsi_workers_are_missed(io);
	vmsi_lock_release(&io->lock);
	if (stands_in)
		vmsi_workers_stand_in(io);
	return has_ended(request);
}
