/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_CHUNKS_H
#define VMSI_TESTS_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

/*
 * A source of chunks for pools under test, which counts what it gave and can
 * be told to have nothing more.
 */
struct chunks {
	size_t requests;     /* calls of get */
	size_t live;         /* chunks given and not taken back */
	size_t live_bytes;
	size_t chunks_left;  /* how many get still gives; SIZE_MAX: any number */
	bool wrong_put;      /* a put that matches no get */
};

static inline void *chunks_get(void *context, size_t bytes)
{
	struct chunks *chunks = context;
	void *chunk;

	chunks->requests++;
	if (!chunks->chunks_left)
		return NULL;
	chunk = aligned_alloc(4096, bytes);
	if (!chunk)
		return NULL;
	memset(chunk, 0, bytes);
	if (chunks->chunks_left != SIZE_MAX)
		chunks->chunks_left--;
	chunks->live++;
	chunks->live_bytes += bytes;
	return chunk;
}

static inline void chunks_put(void *context, void *chunk, size_t bytes)
{
	struct chunks *chunks = context;

	if (!chunks->live || chunks->live_bytes < bytes)
		chunks->wrong_put = true;
	chunks->live--;
	chunks->live_bytes -= bytes;
	free(chunk);
}

static inline struct vmsi_pool_source chunks_source(struct chunks *chunks)
{
	*chunks = (struct chunks){ .chunks_left = SIZE_MAX };
	return (struct vmsi_pool_source){ chunks_get, chunks_put, chunks };
}

#endif
