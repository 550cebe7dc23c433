/* SPDX-License-Identifier: MIT */
#include "swap/memory.h"

#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

uint32_t vmsi_memory_made(const struct vmsi_swap *swap)
{
	return swap->fresh_buffer - swap->retired_buffers;
}

size_t vmsi_memory_used(const struct vmsi_swap *swap)
{
	const size_t page = vmsi_page_size();

	return swap->fixed_bytes +
		vmsi_align_up(swap->fresh_place * sizeof(*swap->places), page) +
		vmsi_align_up(swap->fresh_cluster * sizeof(*swap->clusters), page) +
		vmsi_memory_made(swap) * swap->cluster_bytes;
}

char *vmsi_memory_buffer(const struct vmsi_swap *swap, uint32_t buffer)
{
	return swap->buffers + (size_t)buffer * swap->cluster_bytes;
}

static uint32_t pop(struct vmsi_swap *swap)
{
	const size_t offset = (size_t)((char *)swap->free_buffer - swap->buffers);

	swap->free_buffer = swap->free_buffer->next;
	swap->free_buffers--;
	return (uint32_t)(offset / swap->cluster_bytes);
}

void vmsi_memory_give(struct vmsi_swap *swap, uint32_t buffer)
{
	struct vmsi_free_buffer *first =
		(struct vmsi_free_buffer *)vmsi_memory_buffer(swap, buffer);

	first->next = swap->free_buffer;
	swap->free_buffer = first;
	swap->free_buffers++;
}

bool vmsi_memory_retire(struct vmsi_swap *swap)
{
	const uint32_t buffer = pop(swap);
	const uintptr_t bytes = (uintptr_t)vmsi_memory_buffer(swap, buffer);

	if (vmsi_host.madvise(bytes, swap->cluster_bytes, MADV_DONTNEED) < 0) {
		vmsi_memory_give(swap, buffer);
		return false;
	}
	swap->retired[buffer / 64] |= UINT64_C(1) << buffer % 64;
	swap->retired_buffers++;
	return true;
}

/* Use one again that was given up. There is one. */
static uint32_t take_retired(struct vmsi_swap *swap)
{
	uint32_t word = 0, bit;

	while (!swap->retired[word])
		word++;
	bit = (uint32_t)__builtin_ctzll(swap->retired[word]);
	swap->retired[word] &= swap->retired[word] - 1;
	swap->retired_buffers--;
	return word * 64 + bit;
}

enum vmsi_fit vmsi_memory_fits(struct vmsi_swap *swap, size_t bytes)
{
	while (vmsi_memory_used(swap) + bytes > swap->ram_bytes) {
		if (vmsi_memory_made(swap) <= VMSI_SWAP_BUFFERS_LEAST)
			return VMSI_FITS_NEVER;
		if (swap->free_buffers <= VMSI_SWAP_BUFFERS_KEPT)
			return VMSI_FITS_LATER;
		if (!vmsi_memory_retire(swap))
			return VMSI_FITS_NEVER;
	}
	return VMSI_FITS;
}

/* Buffers that have no memory, as far as there is some for them. */
static uint32_t unmade(const struct vmsi_swap *swap)
{
	const size_t used = vmsi_memory_used(swap);
	const size_t rest = swap->ram_bytes > used ? swap->ram_bytes - used : 0;

	return (uint32_t)vmsi_min(swap->buffer_count - vmsi_memory_made(swap),
				  rest / swap->cluster_bytes);
}

uint32_t vmsi_memory_most(const struct vmsi_swap *swap)
{
	return vmsi_memory_made(swap) + unmade(swap);
}

uint32_t vmsi_memory_buffers(const struct vmsi_swap *swap)
{
	return swap->free_buffers + unmade(swap);
}

uint32_t vmsi_memory_take(struct vmsi_swap *swap)
{
	if (swap->free_buffers)
		return pop(swap);
	if (!unmade(swap))
		return VMSI_NONE;
	return swap->retired_buffers ? take_retired(swap) : swap->fresh_buffer++;
}
