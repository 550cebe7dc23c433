/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_ASIDE_PAGES_H
#define VMSI_TESTS_POOL_ASIDE_PAGES_H

#include "../unit/pool_fixture.h"

/* Pages that are put aside, half of which cannot be compressed. */

static inline void fill_mixed(char *bytes, uint64_t page, unsigned state)
{
	uint64_t *words = (uint64_t *)bytes, x = page * 7919 + state + 1;

	fill_page(bytes, page, state);
	for (size_t i = 0; page % 2 && i < PAGE / sizeof(*words); i++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
		words[i] ^= x;
	}
}

static inline void must_be_mixed(const char *bytes, uint64_t page, unsigned state)
{
	char expected[PAGE];

	fill_mixed(expected, page, state);
	if (memcmp(bytes, expected, PAGE) != 0)
		fail_msg("page %u is not as it was", (unsigned)page);
}

#endif
