/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "swap/object.h"

uint64_t vmsi_object_sum(const struct vmsi_object *object, const void *bytes,
			 uint64_t sequence)
{
	const uint64_t about[] = { object->place, sequence,
				   (uint64_t)object->codec << 32 | object->bytes };
	const uint64_t seed = XXH3_64bits(about, sizeof(about));

	return XXH3_64bits_withSeed(bytes, object->bytes, seed);
}

bool vmsi_object_is_sane(const struct vmsi_object *object, uint64_t place, size_t size,
			 size_t page_bytes, enum vmsi_swap_codec codec)
{
	return object->place == place && object->bytes <= page_bytes &&
		vmsi_object_size(object->bytes) == size &&
		(object->codec == VMSI_SWAP_RAW ? object->bytes == page_bytes :
						  object->codec == codec);
}
