/* SPDX-License-Identifier: MIT */
#include "io/end.h"
#include "io/keeper.h"
#include "io/ring.h"
#include "io/self.h"
#include "io/transfer.h"
#include "io/workers.h"

/*
 * A detached request goes to the ring only where a keeper will take its result. false:
 * it was carried out. The lock is not held meanwhile.
 */
static bool may_queue(struct vmsi_io *io, struct vmsi_io_request *request)
{
	if (!request->is_detached || vmsi_io_engine(io) == VMSI_IO_THREADS ||
	    vmsi_keeper_begin(io))
		return true;
	vmsi_lock_release(&io->lock);
	(void)vmsi_io_run(request);
	vmsi_lock_acquire(&io->lock);
	return false;
}

void vmsi_io_submit(struct vmsi_io *io, struct vmsi_io_request *const requests[],
		    size_t count)
{
	bool stands_in;

	vmsi_lock_acquire(&io->lock);
	for (size_t i = 0; i < count; i++) {
		vmsi_transfer_begin(requests[i]);
		requests[i]->issuer = requests[i]->is_detached ? 0 : vmsi_io_self();
		if (!may_queue(io, requests[i]))
			continue;
		io->in_flight++;
		io->detached += requests[i]->is_detached;
		vmsi_io_push(io, requests[i]);
	}
	vmsi_ring_fill(io);
	vmsi_keeper_call(io);
	if (vmsi_io_engine(io) == VMSI_IO_THREADS)
		vmsi_workers_call(io);
	if (io->detached)
		vmsi_keeper_hand_over(io);
	stands_in = vmsi_workers_are_missed(io);
	vmsi_lock_release(&io->lock);
	if (stands_in)
		vmsi_workers_stand_in(io);
}
