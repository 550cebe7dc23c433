/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_YIELD_H
#define VMSI_PRELOAD_HEAP_YIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/marks.h"

#pragma GCC visibility push(hidden)

/*
 * A request for so many bytes was refused, and not by the heap: make the heap give
 * back what it retains. Returns whether anything went back, so that the request is
 * worth making again. errno stays as it is.
 */
VMSI_COLD bool vmsi_interposer_yields(size_t bytes);

/* Called around every call on the heap that may take a lock of it. They nest. */
void vmsi_interposer_enter(void);
void vmsi_interposer_leave(void);

#pragma GCC visibility pop

#endif
