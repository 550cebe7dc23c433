/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "host/host.h"
#include "swap/state.h"

#define FOR_EVER UINT64_MAX

void vmsi_swap_sleep(struct vmsi_swap *swap)
{
	const uint32_t seen = atomic_load_explicit(&swap->bell, memory_order_relaxed);

	swap->sleepers++;
	vmsi_lock_release(&swap->lock);
	(void)vmsi_host.futex_wait(&swap->bell, seen, FOR_EVER);
	vmsi_lock_acquire(&swap->lock);
	swap->sleepers--;
}

void vmsi_swap_ring_bell(struct vmsi_swap *swap)
{
	atomic_fetch_add_explicit(&swap->bell, 1, memory_order_relaxed);
	if (swap->sleepers)
		(void)vmsi_host.futex_wake(&swap->bell, INT_MAX);
}
