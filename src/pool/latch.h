/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_LATCH_H
#define VMSI_POOL_LATCH_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/lock.h"

/*
 * A lock with a rank, as struct vmsi_lock, for the records of a pool, which each miss locks
 * for a moment. Nobody else has it nearly always, and then it is one exchange each way, in
 * the code of who takes it: a mutex of libc is two more pages of code and two of data, each
 * of which is looked up anew after a system call (base/hot.h). Who must wait looks for a
 * while, since it is held for less time than a sleep takes, and sleeps then.
 *
 *          acquire               wait: somebody sleeps
 *   FREE ----------> TAKEN -----------------------------> AWAITED
 *     ^                |                                     |
 *     +----------------+-------------------------------------+
 *        release: wakes one that sleeps, if it was AWAITED. That one makes it AWAITED
 *        again, as there may be others.
 */
enum { VMSI_LATCH_FREE, VMSI_LATCH_TAKEN, VMSI_LATCH_AWAITED };

struct vmsi_latch {
	_Atomic uint32_t state;
	enum vmsi_lock_rank rank;
};

void vmsi_latch_init(struct vmsi_latch *latch, enum vmsi_lock_rank rank);

/* What acquire and release do where somebody else wants it, too. */
void vmsi_latch_wait(struct vmsi_latch *latch);
void vmsi_latch_wake(struct vmsi_latch *latch);

/* Without the check of ranks, for fork handlers. In the child init makes it anew instead. */
static inline void vmsi_latch_acquire_any(struct vmsi_latch *latch)
{
	uint32_t seen = VMSI_LATCH_FREE;

	if (!atomic_compare_exchange_strong_explicit(&latch->state, &seen, VMSI_LATCH_TAKEN,
						     memory_order_acquire,
						     memory_order_relaxed))
		vmsi_latch_wait(latch);
}

static inline void vmsi_latch_release_any(struct vmsi_latch *latch)
{
	if (atomic_exchange_explicit(&latch->state, VMSI_LATCH_FREE,
				     memory_order_release) == VMSI_LATCH_AWAITED)
		vmsi_latch_wake(latch);
}

static inline void vmsi_latch_acquire(struct vmsi_latch *latch)
{
	vmsi_rank_acquired(latch->rank);
	vmsi_latch_acquire_any(latch);
}

static inline void vmsi_latch_release(struct vmsi_latch *latch)
{
	vmsi_rank_released(latch->rank);
	vmsi_latch_release_any(latch);
}

#endif
