/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_STATE_H
#define VMSI_IO_STATE_H

#include <pthread.h>

#include "base/lock.h"
#include "host/uring.h"
#include "io/io.h"

/*
 * A request goes
 *
 *   submitted -> queue -> ring ------------------> ended
 *                   \---> worker, or a waiter --/
 *
 * While the engine is the ring the queue has what found no place there, and what the
 * keeper is to give to it: detached requests, and what others have in the queue whose
 * thread is not here (self.h). Else it has all that no thread has begun. Results of the ring are taken by one thread at a time,
 * the reaper: any that waits, or the keeper where detached requests are in flight and
 * nobody waits.
 */

/* A thread that sleeps in a wait, on its stack. */
struct vmsi_io_waiter {
	struct vmsi_io_waiter *next;
	const struct vmsi_io_request *request; /* NULL: for all that is in flight */
	_Atomic uint32_t is_called;
};

struct vmsi_io {
	struct vmsi_lock lock; /* guards what has no other word beside it */
	unsigned depth;        /* constant */
	unsigned flags;        /* constant */

	struct vmsi_io_request *first, *last; /* the queue */
	size_t queued;
	size_t in_flight; /* submitted and not ended */
	size_t detached;  /* of them */
	struct vmsi_io_waiter *waiters;
	bool is_closing;
	bool is_forked;

	_Atomic int engine;  /* enum vmsi_io_engine; written under the lock */
	_Atomic int problem; /* likewise */
	bool has_ring;       /* constant: one was opened, and is still reaped */
	bool is_reaping;
	unsigned in_ring;
	struct vmsi_uring ring; /* add and submit under the lock; reap by the reaper */

	unsigned worker_count;
	unsigned idle; /* workers that sleep */
	_Atomic uint32_t work; /* changes when workers shall look into the queue */
	pthread_t workers[VMSI_IO_THREADS_MOST];

	bool has_keeper;
	bool keeper_waits;     /* for results of the ring */
	bool keeper_is_woken;  /* out of that */
	uintptr_t keeper_self; /* as vmsi_io_self tells it; 0: it has not begun */
	_Atomic uint32_t keeping; /* changes when the keeper shall look */
	pthread_t keeper;
};

/* A thread of the room: the addresses of its stack, and what it uses of them. */
#define VMSI_IO_STACK ((size_t)128 << 10)
#define VMSI_IO_STACK_USED ((size_t)16 << 10)

#endif
