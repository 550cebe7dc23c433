/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_CACHES_H
#define VMSI_CODE_CACHES_H

#include "code/code.h"

/* Instruction caches, and instructions that processors have fetched ahead. */

/* Make ready for vmsi_sync_cores; notes in the pool whether the host has that. */
void vmsi_caches_open(struct vms_code *code);

/*
 * Make the instructions at executable addresses those that were written, for all
 * processors. (Where caches agree by themselves, only the compiler is told.)
 */
static inline void vmsi_clear_caches(uintptr_t start, size_t length)
{
	__builtin___clear_cache((char *)start, (char *)start + length);
}

/*
 * Whether running threads have to be made to drop what they have fetched ahead,
 * before they run what was written to a chunk.
 */
bool vmsi_needs_core_sync(const struct vms_code *code,
			  const struct vmsi_chunk *chunk);

/*
 * Make all threads that run now drop it, when so many blocks had been freed. Not under
 * a lock: it takes its time.
 */
void vmsi_sync_cores(struct vms_code *code, uint64_t frees);

#endif
