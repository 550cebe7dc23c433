/* SPDX-License-Identifier: MIT */
#include "pool/evict/ghost.h"

#include "base/hot.h"

static uint64_t hash_of(uint64_t page)
{
	const uint64_t hash = (page + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return hash ^ hash >> 32;
}

/* Never 0, which is an empty place. */
static uint32_t fingerprint(uint64_t hash)
{
	return (uint32_t)hash | 1;
}

static uint64_t *bucket_of(const struct vmsi_ghost *ghost, uint64_t hash)
{
	return &ghost->entries[(hash >> 20) & (ghost->count - 1) &
			       ~(size_t)(VMSI_GHOST_WAYS - 1)];
}

static uint32_t age_of(const struct vmsi_ghost *ghost, uint64_t entry)
{
	return entry ? ghost->now - (uint32_t)(entry >> 32) : UINT32_MAX;
}

VMSI_HOT
void vmsi_ghost_prefetch(const struct vmsi_ghost *ghost, uint64_t page)
{
	if (ghost->count)
		__builtin_prefetch(bucket_of(ghost, hash_of(page)), 1);
}

void vmsi_ghost_add(struct vmsi_ghost *ghost, uint64_t page)
{
	const uint64_t hash = hash_of(page);
	uint64_t *bucket, *oldest;

	if (!ghost->count)
		return;
	bucket = oldest = bucket_of(ghost, hash);
	for (unsigned i = 1; i < VMSI_GHOST_WAYS; i++)
		if (age_of(ghost, bucket[i]) > age_of(ghost, *oldest))
			oldest = &bucket[i];
	ghost->now++;
	*oldest = (uint64_t)ghost->now << 32 | fingerprint(hash);
}

VMSI_HOT
bool vmsi_ghost_take(struct vmsi_ghost *ghost, uint64_t page, uint32_t window)
{
	const uint64_t hash = hash_of(page);
	uint64_t *bucket;

	if (!ghost->count)
		return false;
	bucket = bucket_of(ghost, hash);
	for (unsigned i = 0; i < VMSI_GHOST_WAYS; i++)
		if ((uint32_t)bucket[i] == fingerprint(hash) &&
		    age_of(ghost, bucket[i]) < window) {
			bucket[i] = 0;
			return true;
		}
	return false;
}
