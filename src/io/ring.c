/* SPDX-License-Identifier: MIT */
#include "io/ring.h"

#include <errno.h>

#include "base/panic.h"
#include "host/host.h"
#include "io/end.h"
#include "io/self.h"
#include "io/transfer.h"
#include "io/workers.h"

/* Requests are added, and results taken, so many at once. */
#define ROUND 64u

/* How often a submission is tried again that the kernel puts off. */
#define TRIES 20u
#define PAUSE 100000u

/* --- submission --------------------------------------------------------------------- */

/* See self.h. */
static bool may_give(const struct vmsi_io *io, const struct vmsi_io_request *request)
{
	const uintptr_t self = vmsi_io_self();

	return request->issuer == self || io->keeper_self == self;
}

/* Add requests of the queue to the ring: those that are in requests now. */
static unsigned add_round(struct vmsi_io *io, struct vmsi_io_request **requests)
{
	unsigned count = 0;

	while (count < ROUND && io->in_ring + count < io->depth && io->first &&
	       may_give(io, io->first)) {
		struct vmsi_io_request *request = vmsi_io_pop(io);
		const struct vmsi_uring_operation rest = vmsi_transfer_rest(request);

		if (!vmsi_uring.add(&io->ring, &rest)) {
			vmsi_io_push_first(io, request);
			break;
		}
		/* Whoever takes the result may not take the lock first: see end_all. */
		atomic_store_explicit(&request->has_ended, 0, memory_order_release);
		requests[count++] = request;
	}
	return count;
}

static bool may_try_again(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -EINTR;
}

/*
 * The first requests that the kernel takes may have ended, and be gone, before this
 * returns. *error is why it did not take all of them.
 */
static unsigned submit_round(struct vmsi_io *io, unsigned count, int *error)
{
	unsigned taken = 0, tries = 0;

	*error = 0;
	while (taken < count) {
		const int result = vmsi_uring.submit(&io->ring);

		if (result > 0) {
			taken += (unsigned)result;
			tries = 0;
			continue;
		}
		*error = result ? result : -EAGAIN;
		if (!may_try_again(*error) || ++tries == TRIES)
			break;
		(void)vmsi_host.yield();
	}
	return taken;
}

/*
 * The ring still has requests that the kernel does not take. It is never submitted to
 * again, so they cannot be carried out by it, and go to threads as all later ones do.
 */
static void give_up(struct vmsi_io *io, struct vmsi_io_request **untaken, unsigned count,
		    int error)
{
	while (count)
		vmsi_io_push_first(io, untaken[--count]);
	atomic_store_explicit(&io->problem, error, memory_order_relaxed);
	atomic_store_explicit(&io->engine, VMSI_IO_THREADS, memory_order_relaxed);
	vmsi_workers_call(io);
	/* Where no thread can be begun, who sleeps until the ring ends it does its own. */
	vmsi_io_call_waiters(io);
}

void vmsi_ring_fill(struct vmsi_io *io)
{
	struct vmsi_io_request *requests[ROUND];

	while (vmsi_io_engine(io) == VMSI_IO_RING) {
		const unsigned count = add_round(io, requests);
		unsigned taken;
		int error;

		if (!count)
			return;
		taken = submit_round(io, count, &error);
		io->in_ring += taken;
		if (taken < count)
			give_up(io, requests + taken, count - taken, error);
	}
}

bool vmsi_ring_has_room(const struct vmsi_io *io)
{
	return vmsi_io_engine(io) == VMSI_IO_RING && io->first && io->in_ring < io->depth;
}

void vmsi_ring_wake_keeper(struct vmsi_io *io)
{
	static const struct vmsi_uring_operation nothing = { .opcode = VMSI_URING_NOTHING };
	int error = -EAGAIN;

	if (io->keeper_is_woken)
		return;
	io->keeper_is_woken = true;
	if (!vmsi_uring.add(&io->ring, &nothing) || !submit_round(io, 1, &error))
		give_up(io, NULL, 0, error);
}

/* --- results ------------------------------------------------------------------------ */

bool vmsi_ring_needs_reaper(const struct vmsi_io *io)
{
	return io->in_ring > 0 && !io->is_reaping;
}

/*
 * It was not carried out, for reasons of the ring's: EAGAIN where it must not wait, and
 * ECANCELED as the thread that has submitted it ended. From a call they would be the
 * file's answer.
 */
static bool was_left(long result)
{
	return result == -EAGAIN || result == -ECANCELED;
}

/* End what has its result, and do here what the kernel has left of the rest. */
static size_t end_all(const struct vmsi_uring_result *results, int count)
{
	size_t detached = 0;

	for (int i = 0; i < count; i++) {
		struct vmsi_io_request *request = results[i].name;

		/*
		 * By way of the kernel comes all that was written before it was given the
		 * request; here it is said in a way that compilers and ThreadSanitizer see.
		 */
		(void)atomic_load_explicit(&request->has_ended, memory_order_acquire);
		if (was_left(results[i].result) ||
		    !vmsi_transfer_note(request, results[i].result))
			vmsi_transfer_finish(request);
		detached += vmsi_io_end(request);
	}
	return detached;
}

void vmsi_ring_reap(struct vmsi_io *io, bool wait)
{
	struct vmsi_uring_result results[ROUND];
	size_t detached = 0;
	int count;

	vmsi_debug_check(vmsi_ring_needs_reaper(io), "IO2: the ring has one reaper");
	io->is_reaping = true;
	vmsi_lock_release(&io->lock);
	count = vmsi_uring.reap(&io->ring, results, ROUND, wait);
	/* What is in flight writes to the program's memory: there is no leaving it. */
	if (count < 0 && count != -EINTR && wait)
		(void)vmsi_host.nanosleep(PAUSE);
	if (count > 0)
		detached = end_all(results, count);
	vmsi_lock_acquire(&io->lock);
	io->is_reaping = false;
	if (count <= 0)
		return;
	io->in_ring -= (unsigned)count;
	vmsi_io_note_ended(io, (size_t)count, detached);
	vmsi_ring_fill(io);
}
