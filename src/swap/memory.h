/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_MEMORY_H
#define VMSI_SWAP_MEMORY_H

#include "swap/state.h"

/* The memory of a store, which never becomes more than ram_bytes. Under the lock. */

/* What is taken now: records that were touched, and buffers. */
size_t vmsi_memory_used(const struct vmsi_swap *swap);

enum vmsi_fit {
	VMSI_FITS,
	VMSI_FITS_LATER, /* once a buffer is free */
	VMSI_FITS_NEVER,
};

/* How many buffers have memory. */
uint32_t vmsi_memory_made(const struct vmsi_swap *swap);

/* Give up the memory of a free buffer. There is one. false: the host keeps it. */
bool vmsi_memory_retire(struct vmsi_swap *swap);

/*
 * Whether so many bytes more of records may be touched. Gives up buffers that are free
 * for them.
 */
enum vmsi_fit vmsi_memory_fits(struct vmsi_swap *swap, size_t bytes);

/* How many buffers there can be, with the memory that there is now. */
uint32_t vmsi_memory_most(const struct vmsi_swap *swap);

/* How many buffers can be taken at once. */
uint32_t vmsi_memory_buffers(const struct vmsi_swap *swap);

/* Take a buffer; VMSI_NONE: there is none. */
uint32_t vmsi_memory_take(struct vmsi_swap *swap);
void vmsi_memory_give(struct vmsi_swap *swap, uint32_t buffer);

char *vmsi_memory_buffer(const struct vmsi_swap *swap, uint32_t buffer);

#endif
