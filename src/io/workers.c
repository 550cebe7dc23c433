/* SPDX-License-Identifier: MIT */
#include "io/workers.h"

#include <limits.h>

#include "base/align.h"
#include "host/host.h"
#include "io/end.h"

static void *work(void *context)
{
	struct vmsi_io *io = context;

	vmsi_lock_acquire(&io->lock);
	for (;;) {
		const uint32_t seen = atomic_load_explicit(&io->work,
							   memory_order_acquire);
		struct vmsi_io_request *request = vmsi_io_pop(io);

		if (!request && io->is_closing)
			break;
		if (!request)
			io->idle++;
		vmsi_lock_release(&io->lock);
		if (request) {
			vmsi_io_carry_out(io, request);
			continue;
		}
		vmsi_io_sleep(&io->work, seen);
		vmsi_lock_acquire(&io->lock);
		io->idle--;
	}
	vmsi_lock_release(&io->lock);
	return NULL;
}

void vmsi_workers_call(struct vmsi_io *io)
{
	const size_t most = vmsi_min(io->depth, VMSI_IO_THREADS_MOST);
	size_t wanted = io->flags & VMSI_IO_NO_THREADS ? 0 : io->queued;

	if (wanted && io->idle)
		vmsi_io_ring_bell(&io->work, (int)vmsi_min(wanted, io->idle));
	wanted -= vmsi_min(wanted, io->idle);
	for (; wanted && io->worker_count < most; wanted--) {
		if (vmsi_host.start_thread(&io->workers[io->worker_count],
					   VMSI_IO_STACK, work, io) < 0)
			break;
		io->worker_count++;
	}
}

bool vmsi_workers_are_missed(const struct vmsi_io *io)
{
	return io->worker_count == 0 && io->detached > 0 && io->first &&
		vmsi_io_engine(io) == VMSI_IO_THREADS;
}

void vmsi_workers_stand_in(struct vmsi_io *io)
{
	vmsi_lock_acquire(&io->lock);
	while (vmsi_workers_are_missed(io)) {
		struct vmsi_io_request *request = vmsi_io_pop(io);

		vmsi_lock_release(&io->lock);
		vmsi_io_carry_out(io, request);
	}
	vmsi_lock_release(&io->lock);
}

void vmsi_workers_join(struct vmsi_io *io)
{
	vmsi_io_ring_bell(&io->work, INT_MAX);
	for (unsigned i = 0; i < io->worker_count; i++)
		vmsi_host.join_thread(io->workers[i]);
	io->worker_count = 0;
}
