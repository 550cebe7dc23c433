/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "file/journal_format.h"

/* A file of its own, so that a test can put another checksum in its place. */

uint64_t vmsi_journal_sum(const void *bytes, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, length, seed);
}
