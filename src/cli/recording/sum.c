/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cli/recording/format.h"

uint32_t vmsi_frame_sum(const void *payload, size_t length, uint64_t place)
{
	const uint64_t seed = place << 20 ^ length;

	return (uint32_t)XXH3_64bits_withSeed(payload, length, seed);
}
