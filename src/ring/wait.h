/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_WAIT_H
#define VMSI_RING_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/atomic.h"
#include "ring/ring.h"

/*
 * Waiting for the other side. Who waits sets a bit in a word of its side, looks once
 * more, and sleeps on the word by futex(2) or on the eventfd. Who commits or releases
 * looks at the word, and where a bit is set takes it and wakes. Each time is counted in the
 * word: else it would be as before where another one sets the bit again, and who has looked
 * and not yet slept would sleep on it.
 *
 * That look comes without a fence, which would make each commit wait for the memory of
 * the record. So it may come before others see what was committed, and miss a bit that is
 * just being set. Who waits therefore looks for some time after it has set the bit, longer
 * than a processor keeps a store to itself. No correctness depends on how long that
 * is: the first sleep is a short one, with another look behind it, and the later ones
 * have an end, too. Before a wait for the eventfd membarrier(2) makes the fence.
 */

/* The words to sleep on are one for each side. */
void vmsi_ring_wake_consumers_now(struct vms_ring *ring);
void vmsi_ring_wake_producers_now(struct vms_ring *ring);

static inline void vmsi_ring_wake_consumers(struct vms_ring *ring)
{
	if (__builtin_expect((vmsi_ring_load_relaxed(&ring->shared->control.consumers) &
			      VMSI_RING_WAITS) != 0, 0))
		vmsi_ring_wake_consumers_now(ring);
}

static inline void vmsi_ring_wake_producers(struct vms_ring *ring)
{
	if (__builtin_expect((vmsi_ring_load_relaxed(&ring->shared->control.producers) &
			      VMSI_RING_WAITS) != 0, 0))
		vmsi_ring_wake_producers_now(ring);
}

enum vmsi_ring_side {
	VMSI_RING_CONSUMERS,
	VMSI_RING_PRODUCERS,
};

/*
 * What is waited for: -EAGAIN: not yet; any other answer ends the wait. The patience is
 * that of vmsi_mpsc_peek.
 */
typedef int vmsi_ring_try(struct vms_ring *ring, enum vmsi_mpsc_patience patience,
			  void *context);

/*
 * Try until it is done or the time is over. timeout: as of the public calls. Returns what
 * try does; -ETIMEDOUT; -EINTR.
 */
int vmsi_ring_sleep_until(struct vms_ring *ring, enum vmsi_ring_side side,
			  int64_t timeout, vmsi_ring_try *try, void *context);

/*
 * Have the next commit write to the eventfd. Afterwards the caller looks once more.
 */
void vmsi_ring_ask_for_event(struct vms_ring *ring);

/* Let this process take part in the fence of vmsi_ring_ask_for_event. */
void vmsi_ring_join_fences(void);

#endif
