/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "pool/area/sum.h"

/* A file of its own, so that a test can put another checksum in its place. */

uint64_t vmsi_area_hash(const void *bytes, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, length, seed);
}
