/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/align.h"
#include "host/host.h"
#include "swap/collect.h"
#include "swap/memory.h"
#include "swap/write.h"

/* vmsi_swap_set_ram. All under the lock, but while something is written or waited for. */

size_t vmsi_swap_least(const struct vmsi_swap *swap)
{
	return swap->fixed_bytes + 2 * vmsi_page_size() +
		VMSI_SWAP_BUFFERS_LEAST * swap->cluster_bytes;
}

/* Have a buffer become free: a cluster goes to the file, or its pages to others. */
static int make_free(struct vmsi_swap *swap, uint64_t failures)
{
	const int error = vmsi_write_step(swap, failures);

	return error == -ENOSPC ? vmsi_collect(swap, failures) : error;
}

/* What is taken now, with the buffers by which pages are moved, which nobody puts into. */
static size_t bytes_to_move(const struct vmsi_swap *swap)
{
	return vmsi_memory_used(swap) + VMSI_SWAP_BUFFERS_KEPT * swap->cluster_bytes;
}

/* Little by little, so that nobody takes what has become free. */
static int shrink(struct vmsi_swap *swap, size_t ram_bytes)
{
	const uint64_t failures = swap->failures;
	int error = 0;

	while (vmsi_memory_used(swap) > ram_bytes && !error) {
		swap->ram_bytes = vmsi_min(swap->ram_bytes, bytes_to_move(swap));
		if (vmsi_memory_made(swap) <= VMSI_SWAP_BUFFERS_LEAST)
			error = -ENOMEM;
		else if (swap->free_buffers <= VMSI_SWAP_BUFFERS_KEPT)
			error = make_free(swap, failures);
		else if (!vmsi_memory_retire(swap))
			error = -ENOMEM;
	}
	return error;
}

int vmsi_swap_set_ram(struct vmsi_swap *swap, size_t ram_bytes)
{
	size_t before;
	int error;

	if (ram_bytes > swap->ram_most || ram_bytes < vmsi_swap_least(swap))
		return -EINVAL;
	vmsi_lock_acquire(&swap->lock);
	before = swap->ram_bytes;
	vmsi_collect_again(swap);
	error = shrink(swap, ram_bytes);
	swap->ram_bytes = error ? before : ram_bytes;
	/* Who waits for a buffer may have one now. */
	vmsi_swap_ring_bell(swap);
	vmsi_lock_release(&swap->lock);
	return error;
}
