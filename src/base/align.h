/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_ALIGN_H
#define VMSI_BASE_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes and addresses. An alignment is always a power of two. */

static inline bool vmsi_is_aligned(uintptr_t value, uintptr_t alignment)
{
	return (value & (alignment - 1)) == 0;
}

static inline uintptr_t vmsi_align_down(uintptr_t value, uintptr_t alignment)
{
	return value & ~(alignment - 1);
}

/* Round up; the result wraps to 0 where value is too large, as in the kernel. */
static inline uintptr_t vmsi_align_up(uintptr_t value, uintptr_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/* Round up; false where that overflows. */
static inline bool vmsi_align_up_checked(uintptr_t value, uintptr_t alignment,
					 uintptr_t *result)
{
	if (__builtin_add_overflow(value, alignment - 1, result))
		return false;
	*result &= ~(alignment - 1);
	return true;
}

static inline bool vmsi_add(uintptr_t a, uintptr_t b, uintptr_t *result)
{
	return !__builtin_add_overflow(a, b, result);
}

/* Add; SIZE_MAX where that overflows. */
static inline size_t vmsi_add_saturating(size_t a, size_t b)
{
	size_t sum;

	return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static inline bool vmsi_multiply(size_t a, size_t b, size_t *result)
{
	return !__builtin_mul_overflow(a, b, result);
}

static inline uintptr_t vmsi_min(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

static inline uintptr_t vmsi_max(uintptr_t a, uintptr_t b)
{
	return a > b ? a : b;
}

/* A range of addresses, half-open, in bytes. */
struct vmsi_range {
	uintptr_t start;
	uintptr_t end;
};

static inline size_t vmsi_range_length(struct vmsi_range range)
{
	return range.end - range.start;
}

static inline bool vmsi_range_overlaps(struct vmsi_range a, struct vmsi_range b)
{
	return a.start < b.end && b.start < a.end;
}

/* The part that a and b have in common; empty (start == end) where none. */
static inline struct vmsi_range vmsi_range_common(struct vmsi_range a,
						  struct vmsi_range b)
{
	struct vmsi_range common = {
		.start = vmsi_max(a.start, b.start),
		.end = vmsi_min(a.end, b.end),
	};

	if (common.end < common.start)
		common.end = common.start;
	return common;
}

#endif
