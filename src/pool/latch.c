/* SPDX-License-Identifier: MIT */
#include "pool/latch.h"

#include "host/host.h"
#include "pool/atomic.h"

/* How often who is to sleep looks before. */
#define LOOKS 128

/* What a sleep is at most; nobody depends on it. */
#define SLEEP_NANOSECONDS UINT64_C(100000000)

void vmsi_latch_init(struct vmsi_latch *latch, enum vmsi_lock_rank rank)
{
	atomic_init(&latch->state, VMSI_LATCH_FREE);
	latch->rank = rank;
}

static bool try_again(struct vmsi_latch *latch)
{
	uint32_t seen = atomic_load_explicit(&latch->state, memory_order_relaxed);

	return seen == VMSI_LATCH_FREE &&
		atomic_compare_exchange_strong_explicit(&latch->state, &seen,
							VMSI_LATCH_TAKEN,
							memory_order_acquire,
							memory_order_relaxed);
}

void vmsi_latch_wait(struct vmsi_latch *latch)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		if (try_again(latch))
			return;
		vmsi_pause();
	}
	while (atomic_exchange_explicit(&latch->state, VMSI_LATCH_AWAITED,
					memory_order_acquire) != VMSI_LATCH_FREE)
		(void)vmsi_host.futex_wait(&latch->state, VMSI_LATCH_AWAITED,
					   SLEEP_NANOSECONDS);
}

void vmsi_latch_wake(struct vmsi_latch *latch)
{
	(void)vmsi_host.futex_wake(&latch->state, 1);
}
