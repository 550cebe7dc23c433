/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SWAP_PAGES_H
#define VMSI_TESTS_SWAP_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Pages whose bytes follow from a number. */

enum page_kind { PAGE_ZERO, PAGE_TEXT, PAGE_NOISE, PAGE_HALF, PAGE_LAST, PAGE_KINDS };

static inline uint64_t next_number(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline unsigned draw(uint64_t *state, unsigned below)
{
	return (unsigned)(next_number(state) >> 33) % below;
}

static inline void fill_noise(void *bytes, size_t length, uint64_t *state)
{
	uint64_t *words = bytes;

	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = next_number(state);
}

static inline void fill_text(void *bytes, size_t length, uint64_t *state)
{
	uint64_t words[16];

	fill_noise(words, sizeof(words), state);
	for (size_t i = 0; i < length / sizeof(*words); i++)
		memcpy((char *)bytes + i * sizeof(*words), &words[draw(state, 16)],
		       sizeof(*words));
}

static inline void fill_page(void *page, size_t bytes, enum page_kind kind, uint64_t number)
{
	uint64_t state = number * 0x2545f4914f6cdd1du + kind;

	memset(page, 0, bytes);
	switch (kind) {
	case PAGE_ZERO:
		break;
	case PAGE_TEXT:
		fill_text(page, bytes, &state);
		break;
	case PAGE_NOISE:
		fill_noise(page, bytes, &state);
		break;
	case PAGE_HALF:
		fill_noise(page, bytes / 2, &state);
		break;
	/* All zeros but the last byte. */
	case PAGE_LAST:
		((char *)page)[bytes - 1] = (char)(number % 255 + 1);
		break;
	case PAGE_KINDS:
		break;
	}
}

#endif
