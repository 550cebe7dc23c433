/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_WORKERS_H
#define VMSI_IO_WORKERS_H

#include "io/state.h"

/* Threads that carry out what is in the queue, where there is no ring. */

/*
 * See that threads look into the queue: wake those that sleep, begin more, as far as
 * they can be had. Under the lock.
 */
void vmsi_workers_call(struct vmsi_io *io);

/* Whether there are detached requests in the queue and no thread for them. */
bool vmsi_workers_are_missed(const struct vmsi_io *io);

/* Do their work in this thread as long as they are missed. Not under the lock. */
void vmsi_workers_stand_in(struct vmsi_io *io);

/* End and join them all: is_closing is set. */
void vmsi_workers_join(struct vmsi_io *io);

#endif
