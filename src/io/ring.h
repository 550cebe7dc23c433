/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_RING_H
#define VMSI_IO_RING_H

#include "io/state.h"

/* Requests in io_uring. */

/*
 * Give the ring what is in the queue, as far as it has places and the thread may: the
 * keeper all, others what is first and their own. Under the lock.
 */
void vmsi_ring_fill(struct vmsi_io *io);

/* Whether there are places in the ring for what is in the queue. Under the lock. */
bool vmsi_ring_has_room(const struct vmsi_io *io);

/* Have the keeper come back that waits for results. Under the lock. */
void vmsi_ring_wake_keeper(struct vmsi_io *io);

/*
 * Whether there are results to be taken, now or later, and nobody takes them. Under the
 * lock; who sets is_reaping then may call vmsi_ring_reap.
 */
bool vmsi_ring_needs_reaper(const struct vmsi_io *io);

/*
 * Be the reaper once: take results, and end their requests; wait for one if there is
 * none and wait is true. Called under the lock, which is not held meanwhile.
 */
void vmsi_ring_reap(struct vmsi_io *io, bool wait);

#endif
