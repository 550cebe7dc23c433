/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_LARGE_H
#define VMSI_PRELOAD_HEAP_LARGE_H

#include <stddef.h>

#include "preload/marks.h"

#pragma GCC visibility push(hidden)

/*
 * Requests for large blocks, and on blocks of the heap. Each tries the heap
 * first, then the next malloc. A success leaves errno alone.
 */
VMSI_APART void *vmsi_interposer_malloc(size_t size);
VMSI_APART void *vmsi_interposer_calloc(size_t count, size_t size);
VMSI_APART void *vmsi_interposer_realloc(void *block, size_t size);

/*
 * A block of the heap alone. NULL, and errno as it was: it has none, or
 * alignment is no power of two.
 */
VMSI_APART void *vmsi_interposer_alloc(size_t size);
VMSI_APART void *vmsi_interposer_aligned_alloc(size_t alignment, size_t size);

/* For blocks of the heap. */
VMSI_APART void vmsi_interposer_free(void *block);
VMSI_APART size_t vmsi_interposer_usable_size(const void *block);

#pragma GCC visibility pop

#endif
