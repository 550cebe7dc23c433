/* SPDX-License-Identifier: MIT */
#include "swap/memory.h"

#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

static uint32_t made(const struct vmsi_swap *swap)
{
	return swap->fresh_buffer - swap->retired_buffers;
}

size_t vmsi_memory_used(const struct vmsi_swap *swap)
{
	const size_t page = vmsi_page_size();

	return swap->fixed_bytes +
		vmsi_align_up(swap->fresh_place * sizeof(*swap->places), page) +
		vmsi_align_up(swap->fresh_cluster * sizeof(*swap->clusters), page) +
		made(swap) * swap->cluster_bytes;
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

/* false: the host keeps the memory. */
static bool retire_one(struct vmsi_swap *swap)
{
	const uint32_t buffer = pop(swap);
	const uintptr_t bytes = (uintptr_t)vmsi_memory_buffer(swap, buffer);

	if (vmsi_host.madvise(bytes, swap->cluster_bytes, MADV_DONTNEED) < 0) {
		vmsi_memory_give(swap, buffer);
		return false;
	}
	swap->retired_buffers++;
	return true;
}

enum vmsi_fit vmsi_memory_fits(struct vmsi_swap *swap, size_t bytes)
{
	while (vmsi_memory_used(swap) + bytes > swap->ram_bytes) {
		if (made(swap) <= VMSI_SWAP_BUFFERS_LEAST)
			return VMSI_FITS_NEVER;
		if (swap->free_buffers <= VMSI_SWAP_BUFFERS_KEPT)
			return VMSI_FITS_LATER;
		if (!retire_one(swap))
			return VMSI_FITS_NEVER;
	}
	return VMSI_FITS;
}

/* Buffers that were never used, as far as there is memory for them. */
static uint32_t unmade(const struct vmsi_swap *swap)
{
	const size_t used = vmsi_memory_used(swap);
	const size_t rest = swap->ram_bytes > used ? swap->ram_bytes - used : 0;

	return (uint32_t)vmsi_min(swap->buffer_count - swap->fresh_buffer,
				  rest / swap->cluster_bytes);
}

uint32_t vmsi_memory_buffers(const struct vmsi_swap *swap)
{
	return swap->free_buffers + unmade(swap);
}

uint32_t vmsi_memory_take(struct vmsi_swap *swap)
{
	if (swap->free_buffers)
		return pop(swap);
	return unmade(swap) ? swap->fresh_buffer++ : VMSI_NONE;
}
