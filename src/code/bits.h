/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_BITS_H
#define VMSI_CODE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Maps of bits in words of 64, which begin with bit 0. */

static inline size_t vmsi_bits_words(size_t bits)
{
	return (bits + 63) / 64;
}

static inline bool vmsi_bit(const uint64_t *bits, size_t at)
{
	return bits[at / 64] >> (at % 64) & 1;
}

static inline void vmsi_bit_set(uint64_t *bits, size_t at)
{
	bits[at / 64] |= (uint64_t)1 << (at % 64);
}

static inline void vmsi_bit_clear(uint64_t *bits, size_t at)
{
	bits[at / 64] &= ~((uint64_t)1 << (at % 64));
}

/* Set, or clear, the bits of [from, to). */
void vmsi_bits_set(uint64_t *bits, size_t from, size_t to);
void vmsi_bits_clear(uint64_t *bits, size_t from, size_t to);

/* The first bit of [from, to) that is set, or is clear; to where none is. */
size_t vmsi_bits_next_set(const uint64_t *bits, size_t from, size_t to);
size_t vmsi_bits_next_clear(const uint64_t *bits, size_t from, size_t to);

/*
 * The first multiple of step in [from, to) at which count bits are clear; to where
 * there is none.
 */
size_t vmsi_bits_find_clear(const uint64_t *bits, size_t from, size_t to,
			    size_t count, size_t step);

#endif
