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

/* The bits of [from, to), which is not empty, that are in the word that has from. */
static inline uint64_t vmsi_bits_mask(size_t from, size_t to)
{
	const size_t begin = from % 64;
	const size_t length = to - from < 64 - begin ? to - from : 64 - begin;

	return ~(uint64_t)0 >> (64 - length) << begin;
}

static inline size_t vmsi_bits_next_word(size_t at)
{
	return (at / 64 + 1) * 64;
}

/* Set, or clear, the bits of [from, to). */
static inline void vmsi_bits_set(uint64_t *bits, size_t from, size_t to)
{
	for (; from < to; from = vmsi_bits_next_word(from))
		bits[from / 64] |= vmsi_bits_mask(from, to);
}

static inline void vmsi_bits_clear(uint64_t *bits, size_t from, size_t to)
{
	for (; from < to; from = vmsi_bits_next_word(from))
		bits[from / 64] &= ~vmsi_bits_mask(from, to);
}

/* The first bit of [from, to) that is set in the words, each changed by flip. */
static inline size_t vmsi_bits_find(const uint64_t *bits, size_t from, size_t to, uint64_t flip)
{
	uint64_t ignored = ((uint64_t)1 << (from % 64)) - 1;

	for (; from < to; from = vmsi_bits_next_word(from)) {
		const uint64_t found = (bits[from / 64] ^ flip) & ~ignored;

		if (found) {
			from = from / 64 * 64 + (size_t)__builtin_ctzll(found);
			break;
		}
		ignored = 0;
	}
	return from < to ? from : to;
}

/* The first bit of [from, to) that is set, or is clear; to where none is. */
static inline size_t vmsi_bits_next_set(const uint64_t *bits, size_t from, size_t to)
{
	return vmsi_bits_find(bits, from, to, 0);
}

static inline size_t vmsi_bits_next_clear(const uint64_t *bits, size_t from, size_t to)
{
	return vmsi_bits_find(bits, from, to, ~(uint64_t)0);
}

/*
 * The first multiple of step, a power of two, in [from, to) at which count bits are
 * clear; to where there is none.
 */
static inline size_t vmsi_bits_find_clear(const uint64_t *bits, size_t from, size_t to,
			    size_t count, size_t step)
{
	for (;;) {
		size_t end;

		from = vmsi_bits_next_clear(bits, from, to);
		from = (from + step - 1) & ~(step - 1);
		if (from >= to || to - from < count)
			return to;
		end = vmsi_bits_next_set(bits, from, from + count);
		if (end == from + count)
			return from;
		from = end;
	}
}

#endif
