/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_VMCACHE_H
#define VMSI_BENCH_VMCACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A pool as the paper on vmcache describes it (Leis and others, Virtual-Memory Assisted
 * Buffer Management, SIGMOD 2023), without its kernel module: page n is at n pages behind
 * the first; a word a page has a state in its highest byte and a version below; a miss is
 * a pread to the page's address; eviction is a clock over a hash table of the pages that
 * are there, 64 at a time, each by a madvise of its own. It only reads, and optimistically.
 */

#define VMCACHE_PAGE 4096u

/* States: less is how many share the page. */
#define VMCACHE_SHARED_MOST 252u
#define VMCACHE_ALONE 253u
#define VMCACHE_MARKED 254u /* the hand of the clock has passed, and nobody read it since */
#define VMCACHE_GONE 255u

struct vmcache {
	_Atomic uint64_t *words;
	char *memory;
	/* Of the pages that are there, open addressing; the hand goes round it. */
	_Atomic uint64_t *set;
	uint64_t set_mask;
	_Atomic uint64_t hand, used;
	uint64_t pages, most;
	int fd;
};

/* fd of a file of whole pages, which is the caller's, and stays open until the close. */
struct vmcache *vmcache_open(int fd, uint64_t pages, size_t ram);
void vmcache_close(struct vmcache *cache);

/* What vmcache_begin calls when the page is not at once to be read. */
const void *vmcache_begin_slowly(struct vmcache *cache, uint64_t page, uint64_t *ticket);

/* Whether a mark could be taken off: the page was not gone meanwhile. */
bool vmcache_unmark(struct vmcache *cache, uint64_t page, uint64_t word);

static inline unsigned vmcache_state(uint64_t word)
{
	return (unsigned)(word >> 56);
}

/* The address; what is read there is to be believed when vmcache_validate has said so. */
static inline const void *vmcache_begin(struct vmcache *cache, uint64_t page, uint64_t *ticket)
{
	const uint64_t word = atomic_load_explicit(&cache->words[page], memory_order_acquire);

	if (vmcache_state(word) > VMCACHE_SHARED_MOST)
		return vmcache_begin_slowly(cache, page, ticket);
	*ticket = word;
	return cache->memory + page * VMCACHE_PAGE;
}

static inline bool vmcache_validate(struct vmcache *cache, uint64_t page, uint64_t ticket)
{
	uint64_t word;

	atomic_thread_fence(memory_order_acquire);
	word = atomic_load_explicit(&cache->words[page], memory_order_relaxed);
	if (word == ticket)
		return true;
	if ((word ^ ticket) << 8 != 0)
		return false;
	return vmcache_state(word) <= VMCACHE_SHARED_MOST ||
		(vmcache_state(word) == VMCACHE_MARKED && vmcache_unmark(cache, page, word));
}

#endif
