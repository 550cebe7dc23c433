/* SPDX-License-Identifier: MIT */
#include "io/end.h"

#include "host/host.h"
#include "io/transfer.h"

#define FOR_EVER UINT64_MAX

/* --- the engine --------------------------------------------------------------------- */

enum vmsi_io_engine vmsi_io_engine(const struct vmsi_io *io)
{
	return (enum vmsi_io_engine)atomic_load_explicit(&io->engine,
							 memory_order_relaxed);
}

int vmsi_io_problem(const struct vmsi_io *io)
{
	return atomic_load_explicit(&io->problem, memory_order_relaxed);
}

/* --- the queue ---------------------------------------------------------------------- */

void vmsi_io_push(struct vmsi_io *io, struct vmsi_io_request *request)
{
	request->next = NULL;
	if (io->last)
		io->last->next = request;
	else
		io->first = request;
	io->last = request;
	io->queued++;
}

void vmsi_io_push_first(struct vmsi_io *io, struct vmsi_io_request *request)
{
	request->next = io->first;
	io->first = request;
	if (!io->last)
		io->last = request;
	io->queued++;
}

struct vmsi_io_request *vmsi_io_pop(struct vmsi_io *io)
{
	struct vmsi_io_request *request = io->first;

	if (!request)
		return NULL;
	io->first = request->next;
	if (!io->first)
		io->last = NULL;
	io->queued--;
	return request;
}

/* --- sleeping ----------------------------------------------------------------------- */

void vmsi_io_sleep(_Atomic uint32_t *word, uint32_t value)
{
	(void)vmsi_host.futex_wait(word, value, FOR_EVER);
}

void vmsi_io_ring_bell(_Atomic uint32_t *word, int count)
{
	atomic_fetch_add_explicit(word, 1, memory_order_release);
	(void)vmsi_host.futex_wake(word, count);
}

/* --- the end ------------------------------------------------------------------------ */

bool vmsi_io_end(struct vmsi_io_request *request)
{
	const bool is_detached = request->is_detached;

	if (request->done)
		request->done(request);
	if (!is_detached)
		atomic_store_explicit(&request->has_ended, 1, memory_order_release);
	return is_detached;
}

static bool is_over(const struct vmsi_io *io, const struct vmsi_io_waiter *waiter)
{
	return waiter->request ? atomic_load_explicit(&waiter->request->has_ended,
						      memory_order_acquire) != 0 :
				 io->in_flight == 0;
}

void vmsi_io_note_ended(struct vmsi_io *io, size_t count, size_t detached)
{
	io->in_flight -= count;
	io->detached -= detached;
	for (struct vmsi_io_waiter *waiter = io->waiters; waiter; waiter = waiter->next)
		if (is_over(io, waiter))
			vmsi_io_ring_bell(&waiter->is_called, 1);
}

void vmsi_io_call_waiters(struct vmsi_io *io)
{
	for (struct vmsi_io_waiter *waiter = io->waiters; waiter; waiter = waiter->next)
		vmsi_io_ring_bell(&waiter->is_called, 1);
}

void vmsi_io_carry_out(struct vmsi_io *io, struct vmsi_io_request *request)
{
	bool is_detached;

	vmsi_transfer_finish(request);
	is_detached = vmsi_io_end(request);
	vmsi_lock_acquire(&io->lock);
	vmsi_io_note_ended(io, 1, is_detached);
}
