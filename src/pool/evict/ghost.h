/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_EVICT_GHOST_H
#define VMSI_POOL_EVICT_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The numbers of pages that have left the small queue lately, as fingerprints of 32 bits
 * with the time of it, counted in pages that left. Four share a bucket, and the oldest
 * makes place. A wrong answer, once in a thousand million, makes a page a little too
 * important, no more. The pool's lock guards it.
 */

struct vmsi_ghost {
	uint64_t *entries;    /* fingerprint, and above it the time */
	size_t count;         /* a power of two, at least VMSI_GHOST_WAYS; 0: none */
	uint32_t now;
};

#define VMSI_GHOST_WAYS 4

void vmsi_ghost_add(struct vmsi_ghost *ghost, uint64_t page);

/* A page is to be looked for soon. */
void vmsi_ghost_prefetch(const struct vmsi_ghost *ghost, uint64_t page);

/* Whether a page left less than so many pages ago; it is forgotten. */
bool vmsi_ghost_take(struct vmsi_ghost *ghost, uint64_t page, uint32_t window);

#endif
