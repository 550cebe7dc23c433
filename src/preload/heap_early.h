/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_EARLY_H
#define VMSI_PRELOAD_HEAP_EARLY_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* Memory for what dlsym itself allocates: a few blocks that are never reused. */
void *vmsi_interposer_early_alloc(size_t alignment, size_t size);
bool vmsi_interposer_is_early(const void *block);
size_t vmsi_interposer_early_size(const void *block);
/* Whether any such block was handed out. */
bool vmsi_interposer_early_used(void);

#pragma GCC visibility pop

#endif
