/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_END_H
#define VMSI_IO_END_H

#include "io/state.h"

/* The queue, and the end of a request. All but vmsi_io_end under the lock. */

void vmsi_io_push(struct vmsi_io *io, struct vmsi_io_request *request);

/* Put a request before all others. */
void vmsi_io_push_first(struct vmsi_io *io, struct vmsi_io_request *request);

/* The first request, out of the queue; NULL: it is empty. */
struct vmsi_io_request *vmsi_io_pop(struct vmsi_io *io);

/*
 * A request has its result: tell done, and then who waits. Returns whether it was
 * detached. It is not to be touched any more. Without the lock.
 */
bool vmsi_io_end(struct vmsi_io_request *request);

/* So many have ended, detached of them so; call those that have waited for them. */
void vmsi_io_note_ended(struct vmsi_io *io, size_t count, size_t detached);

/* Call all that sleep in a wait, to look again. Under the lock. */
void vmsi_io_call_waiters(struct vmsi_io *io);

/* Carry out a request that came out of the queue; takes the lock when it has ended. */
void vmsi_io_carry_out(struct vmsi_io *io, struct vmsi_io_request *request);

/* Wait on a word until it is no longer value. Returns at times when it still is. */
void vmsi_io_sleep(_Atomic uint32_t *word, uint32_t value);

/* Change a word, and wake so many that sleep on it. */
void vmsi_io_ring_bell(_Atomic uint32_t *word, int count);

#endif
