/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_RANGE_H
#define VMSI_PRELOAD_HEAP_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* What tells whether a block is the heap's, or is to be. */
struct vmsi_interposer {
	/*
	 * The addresses of the heap. Until there is one, base is above all
	 * addresses of a program: no block seems to be the heap's, whichever of
	 * the two a thread sees change first.
	 */
	uintptr_t base;
	size_t length;
	size_t threshold; /* blocks from this size on are the heap's */
};

extern struct vmsi_interposer vmsi_interposer;

#define VMSI_INTERPOSER_THRESHOLD ((size_t)128 << 10)

#define VMSI_RELAXED(variable) __atomic_load_n(&(variable), __ATOMIC_RELAXED)

/* Whether a block is the heap's. */
static inline bool vmsi_interposer_has(const void *block)
{
	uintptr_t offset =
		(uintptr_t)block - VMSI_RELAXED(vmsi_interposer.base);

	return __builtin_expect(offset < VMSI_RELAXED(vmsi_interposer.length),
				0);
}

/* Whether a block of that size is to be the heap's. */
static inline bool vmsi_interposer_wants(size_t size)
{
	return __builtin_expect(size >= VMSI_RELAXED(vmsi_interposer.threshold),
				0);
}

#pragma GCC visibility pop

#endif
