/* SPDX-License-Identifier: MIT */
#include "io/keeper.h"

#include "host/host.h"
#include "io/end.h"
#include "io/ring.h"
#include "io/self.h"
#include "io/workers.h"

static bool has_work(const struct vmsi_io *io)
{
	return io->detached > 0 && vmsi_ring_needs_reaper(io);
}

/* Others may call it back meanwhile. */
static void reap(struct vmsi_io *io)
{
	io->keeper_waits = true;
	vmsi_ring_reap(io, true);
	io->keeper_waits = io->keeper_is_woken = false;
}

static void *keep(void *context)
{
	struct vmsi_io *io = context;

	vmsi_lock_acquire(&io->lock);
	io->keeper_self = vmsi_io_self();
	while (!io->is_closing) {
		const uint32_t seen = atomic_load_explicit(&io->keeping,
							   memory_order_acquire);

		vmsi_ring_fill(io);
		if (has_work(io)) {
			reap(io);
			continue;
		}
		vmsi_keeper_hand_over(io);
		vmsi_lock_release(&io->lock);
		vmsi_workers_stand_in(io);
		vmsi_io_sleep(&io->keeping, seen);
		vmsi_lock_acquire(&io->lock);
	}
	vmsi_lock_release(&io->lock);
	return NULL;
}

bool vmsi_keeper_begin(struct vmsi_io *io)
{
	if (!io->has_keeper && !(io->flags & VMSI_IO_NO_THREADS))
		io->has_keeper = vmsi_host.start_thread(&io->keeper, VMSI_IO_STACK, keep,
							io) >= 0;
	return io->has_keeper;
}

void vmsi_keeper_call(struct vmsi_io *io)
{
	if (!vmsi_ring_has_room(io))
		return;
	if (!vmsi_keeper_begin(io))
		vmsi_io_call_waiters(io);
	else if (io->keeper_waits)
		vmsi_ring_wake_keeper(io);
	else
		vmsi_io_ring_bell(&io->keeping, 1);
}

void vmsi_keeper_hand_over(struct vmsi_io *io)
{
	if (!vmsi_ring_needs_reaper(io))
		return;
	if (io->waiters)
		vmsi_io_ring_bell(&io->waiters->is_called, 1);
	else if (io->detached)
		vmsi_io_ring_bell(&io->keeping, 1);
}

void vmsi_keeper_join(struct vmsi_io *io)
{
	if (!io->has_keeper)
		return;
	vmsi_io_ring_bell(&io->keeping, 1);
	vmsi_host.join_thread(io->keeper);
	io->has_keeper = false;
}
