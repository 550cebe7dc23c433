/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_POOL_H
#define VMSI_BASE_POOL_H

#include <stddef.h>

/*
 * A pool of records of one size, made of chunks that its owner's callbacks get
 * and put back. The records of a space come from pools and not from malloc,
 * because a malloc may be built on a space. The owner's lock guards the pool.
 */

struct vmsi_pool_source {
	/* At least bytes of zeroed memory, page-aligned; NULL: there is none. */
	void *(*get)(void *context, size_t bytes);
	void (*put)(void *context, void *chunk, size_t bytes);
	void *context;
};

struct vmsi_pool {
	struct vmsi_pool_source source;
	size_t record_size;
	size_t free_count;
	size_t used_count;
	size_t chunk_bytes;  /* size of the next chunk; grows with the pool */
	size_t total_bytes;  /* of all chunks */
	struct vmsi_pool_free *free_list;
	struct vmsi_pool_chunk *chunks;
};

/* record_size is rounded up to 16 bytes. */
void vmsi_pool_init(struct vmsi_pool *pool, size_t record_size,
		    struct vmsi_pool_source source);

/* Give every chunk back; the pool is empty and usable afterwards. */
void vmsi_pool_release(struct vmsi_pool *pool);

/*
 * Make the next count calls of vmsi_pool_take succeed. Returns 0, or -ENOMEM
 * and the pool is as before.
 */
int vmsi_pool_reserve(struct vmsi_pool *pool, size_t count);

/* Take a record, with undefined contents. Panics if none was reserved. */
void *vmsi_pool_take(struct vmsi_pool *pool);

void vmsi_pool_give(struct vmsi_pool *pool, void *record);

#endif
