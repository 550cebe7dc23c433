/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_AGAIN_H
#define VMSI_PRELOAD_HEAP_AGAIN_H

#include <stddef.h>

#include "preload/marks.h"

#pragma GCC visibility push(hidden)

/* If the heap yields, make a request of the next malloc again; NULL: refused. */
VMSI_COLD void *vmsi_interposer_malloc_again(size_t size);
VMSI_COLD void *vmsi_interposer_calloc_again(size_t count, size_t size);
VMSI_COLD void *vmsi_interposer_realloc_again(void *block, size_t size);

#pragma GCC visibility pop

#endif
