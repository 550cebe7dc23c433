/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_MODEL_PAGES_H
#define VMSI_TESTS_POOL_MODEL_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tsan.h"

/* What is in the pages of the model: their number, and that of their last change. */

#define PAGE ((size_t)4096)
#define PAGES_MOST 900
#define STEP 64           /* every so many words of a page are used */

static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- pages -------------------------------------------------------------------------------- */

static inline uint64_t word_of(uint64_t page, uint64_t lsn, size_t place)
{
	return lsn * PAGES_MOST * 8 + page * 8 + place % 8;
}

/* Atomic, since who reads without a fix reads them too. */
static inline void fill(uint64_t *words, uint64_t page, uint64_t lsn)
{
	for (size_t i = 0; i < PAGE / sizeof(*words); i += STEP)
		__atomic_store_n(&words[i], word_of(page, lsn, i / STEP), __ATOMIC_RELAXED);
}

static inline bool is_filled(const uint64_t *words, uint64_t page, uint64_t lsn)
{
	for (size_t i = 0; i < PAGE / sizeof(*words); i += STEP)
		if (__atomic_load_n(&words[i], __ATOMIC_RELAXED) !=
		    word_of(page, lsn, i / STEP))
			return false;
	return true;
}

static inline uint64_t lsn_of(const uint64_t *words)
{
	return __atomic_load_n(&words[0], __ATOMIC_RELAXED) / (PAGES_MOST * 8);
}

#endif
