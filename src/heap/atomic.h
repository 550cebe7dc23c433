/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_ATOMIC_H
#define VMSI_HEAP_ATOMIC_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Relaxed access to values that other threads may read without a lock at any time:
 * a value that was read tells nothing about other memory.
 */

static inline size_t vmsi_get(const _Atomic size_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static inline void vmsi_set(_Atomic size_t *value, size_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

static inline void vmsi_increase(_Atomic size_t *value, size_t by)
{
	atomic_fetch_add_explicit(value, by, memory_order_relaxed);
}

static inline void vmsi_decrease(_Atomic size_t *value, size_t by)
{
	atomic_fetch_sub_explicit(value, by, memory_order_relaxed);
}

static inline void vmsi_count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

#endif
