/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_KEEPER_H
#define VMSI_IO_KEEPER_H

#include "io/state.h"

/* The thread that gives detached requests to the ring, and takes their results from it. */

/* Begin it, where it is not there. Under the lock. false: it cannot be begun. */
bool vmsi_keeper_begin(struct vmsi_io *io);

/*
 * Where the ring has places for what is in the queue, which this thread may not give to it,
 * have the keeper do it; without one, those who wait carry it out. Under the lock.
 */
void vmsi_keeper_call(struct vmsi_io *io);

/*
 * The reaper leaves, or detached requests have come: let somebody be the reaper who
 * waits anyhow, else the keeper. Under the lock.
 */
void vmsi_keeper_hand_over(struct vmsi_io *io);

/* End and join it: is_closing is set. */
void vmsi_keeper_join(struct vmsi_io *io);

#endif
