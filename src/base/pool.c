/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <errno.h>
#include <stdbool.h>

#include "base/align.h"
#include "base/panic.h"

#define FIRST_CHUNK_BYTES ((size_t)64 << 10)
#define LARGEST_CHUNK_BYTES ((size_t)4 << 20)
#define RECORD_ALIGNMENT 16

/* A chunk's records begin at a cache line: some are made of whole ones. */
#define FIRST_RECORD_OFFSET 64

struct vmsi_pool_free {
	struct vmsi_pool_free *next;
};

struct vmsi_pool_chunk {
	struct vmsi_pool_chunk *next;
	size_t bytes;
	size_t fresh; /* offset of the records that were never handed out */
};

_Static_assert(sizeof(struct vmsi_pool_chunk) <= FIRST_RECORD_OFFSET,
	       "a chunk's head reaches into its records");
_Static_assert(sizeof(struct vmsi_pool_free) <= RECORD_ALIGNMENT,
	       "a free record can be too small for its link");

void vmsi_pool_init(struct vmsi_pool *pool, size_t record_size,
		    struct vmsi_pool_source source)
{
	*pool = (struct vmsi_pool){
		.source = source,
		.record_size = vmsi_align_up(vmsi_max(record_size, 1),
					     RECORD_ALIGNMENT),
		.chunk_bytes = FIRST_CHUNK_BYTES,
	};
}

void vmsi_pool_release(struct vmsi_pool *pool)
{
	struct vmsi_pool_chunk *chunk = pool->chunks;

	while (chunk) {
		struct vmsi_pool_chunk *next = chunk->next;

		pool->source.put(pool->source.context, chunk, chunk->bytes);
		chunk = next;
	}
	vmsi_pool_init(pool, pool->record_size, pool->source);
}

static void push_free(struct vmsi_pool *pool, void *record)
{
	struct vmsi_pool_free *free_record = record;

	free_record->next = pool->free_list;
	pool->free_list = free_record;
}

/* A record of the newest chunk that was never handed out; NULL: none is left. */
static void *take_fresh(struct vmsi_pool *pool)
{
	struct vmsi_pool_chunk *chunk = pool->chunks;

	if (!chunk || chunk->bytes - chunk->fresh < pool->record_size)
		return NULL;

	void *record = (char *)chunk + chunk->fresh;

	chunk->fresh += pool->record_size;
	return record;
}

/*
 * Records of a new chunk are not linked into the free list, which would touch
 * all of its pages, but taken one after the other. Only the newest chunk is
 * used so: the fresh records left in the one before, which are few, are linked.
 */
static void add_chunk(struct vmsi_pool *pool, struct vmsi_pool_chunk *chunk,
		      size_t bytes)
{
	void *record;

	while ((record = take_fresh(pool)))
		push_free(pool, record);
	*chunk = (struct vmsi_pool_chunk){
		.next = pool->chunks,
		.bytes = bytes,
		.fresh = FIRST_RECORD_OFFSET,
	};
	pool->chunks = chunk;
	pool->total_bytes += bytes;
	pool->free_count += (bytes - FIRST_RECORD_OFFSET) / pool->record_size;
	if (pool->chunk_bytes < LARGEST_CHUNK_BYTES)
		pool->chunk_bytes *= 2;
}

/* The bytes of a chunk with at least count records; false: more than size_t. */
static bool chunk_size(const struct vmsi_pool *pool, size_t count,
		       size_t *bytes)
{
	if (!vmsi_multiply(count, pool->record_size, bytes) ||
	    !vmsi_add(*bytes, FIRST_RECORD_OFFSET, bytes) ||
	    !vmsi_align_up_checked(*bytes, FIRST_CHUNK_BYTES, bytes))
		return false;
	*bytes = vmsi_max(*bytes, pool->chunk_bytes);
	return true;
}

int vmsi_pool_reserve(struct vmsi_pool *pool, size_t count)
{
	struct vmsi_pool_chunk *chunk;
	size_t bytes;

	if (pool->free_count >= count)
		return 0;
	/* One chunk holds them all, so that a refusal leaves nothing to undo. */
	if (!chunk_size(pool, count - pool->free_count, &bytes))
		return -ENOMEM;
	chunk = pool->source.get(pool->source.context, bytes);
	if (!chunk)
		return -ENOMEM;
	add_chunk(pool, chunk, bytes);
	return 0;
}

void *vmsi_pool_take(struct vmsi_pool *pool)
{
	struct vmsi_pool_free *free_record = pool->free_list;
	void *record = free_record;

	if (free_record)
		pool->free_list = free_record->next;
	else
		record = take_fresh(pool);
	if (!record)
		vmsi_panic("R1: a record was taken that had not been reserved");
	pool->free_count--;
	pool->used_count++;
	return record;
}

void vmsi_pool_give(struct vmsi_pool *pool, void *record)
{
	push_free(pool, record);
	pool->free_count++;
	pool->used_count--;
}
