/* SPDX-License-Identifier: MIT */
#include "code/bits.h"

/* The bits of [from, to) that are in the word that has from. */
static uint64_t mask_in_word(size_t from, size_t to)
{
	const size_t begin = from % 64;
	const size_t length = to - from < 64 - begin ? to - from : 64 - begin;

	return (length == 64 ? ~(uint64_t)0 : ((uint64_t)1 << length) - 1)
		<< begin;
}

static size_t next_word(size_t at)
{
	return (at / 64 + 1) * 64;
}

void vmsi_bits_set(uint64_t *bits, size_t from, size_t to)
{
	for (; from < to; from = next_word(from))
		bits[from / 64] |= mask_in_word(from, to);
}

void vmsi_bits_clear(uint64_t *bits, size_t from, size_t to)
{
	for (; from < to; from = next_word(from))
		bits[from / 64] &= ~mask_in_word(from, to);
}

/* The first bit of [from, to) that is set in the words, each changed by flip. */
static size_t find(const uint64_t *bits, size_t from, size_t to, uint64_t flip)
{
	for (; from < to; from = next_word(from)) {
		const uint64_t found = (bits[from / 64] ^ flip) &
			mask_in_word(from, to);

		if (found)
			return from / 64 * 64 +
				(size_t)__builtin_ctzll(found);
	}
	return to;
}

size_t vmsi_bits_next_set(const uint64_t *bits, size_t from, size_t to)
{
	return find(bits, from, to, 0);
}

size_t vmsi_bits_next_clear(const uint64_t *bits, size_t from, size_t to)
{
	return find(bits, from, to, ~(uint64_t)0);
}

size_t vmsi_bits_find_clear(const uint64_t *bits, size_t from, size_t to,
			    size_t count, size_t step)
{
	for (;;) {
		size_t end;

		from = vmsi_bits_next_clear(bits, from, to);
		from = (from + step - 1) / step * step;
		if (from >= to || to - from < count)
			return to;
		end = vmsi_bits_next_set(bits, from, from + count);
		if (end == from + count)
			return from;
		from = end;
	}
}
