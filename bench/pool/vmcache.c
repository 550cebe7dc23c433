/* SPDX-License-Identifier: MIT */
#include "vmcache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TOGETHER 64
#define EMPTY UINT64_MAX
#define TAKEN_OUT (UINT64_MAX - 1)

static uint64_t with_state(uint64_t word, uint64_t state)
{
	return (word << 8 >> 8) | state << 56;
}

/* The version moves on, so that who reads meanwhile sees that it is another page. */
static uint64_t next_version(uint64_t word, uint64_t state)
{
	return with_state(word + 1, state);
}

static bool change(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
	return atomic_compare_exchange_strong(word, &from, to);
}

bool vmcache_unmark(struct vmcache *cache, uint64_t page, uint64_t word)
{
	return change(&cache->words[page], word, with_state(word, 0));
}

/* --- the pages that are there -------------------------------------------------------------- */

static uint64_t place_of(const struct vmcache *cache, uint64_t page)
{
	page *= UINT64_C(0x9e3779b97f4a7c15);
	return (page ^ page >> 32) & cache->set_mask;
}

static void put(struct vmcache *cache, uint64_t page)
{
	for (uint64_t at = place_of(cache, page);; at = (at + 1) & cache->set_mask) {
		const uint64_t found = atomic_load(&cache->set[at]);

		if (found >= TAKEN_OUT && change(&cache->set[at], found, page))
			return;
	}
}

static void take_out(struct vmcache *cache, uint64_t page)
{
	uint64_t at = place_of(cache, page);

	while (!change(&cache->set[at], page, TAKEN_OUT))
		at = (at + 1) & cache->set_mask;
}

/* --- eviction ------------------------------------------------------------------------------ */

/* Take the page for oneself if it was marked already, and else mark it. */
static bool claim(struct vmcache *cache, uint64_t page)
{
	const uint64_t word = atomic_load(&cache->words[page]);

	if (vmcache_state(word) == 0)
		(void)change(&cache->words[page], word, with_state(word, VMCACHE_MARKED));
	return vmcache_state(word) == VMCACHE_MARKED &&
		change(&cache->words[page], word, with_state(word, VMCACHE_ALONE));
}

static size_t choose(struct vmcache *cache, uint64_t *chosen)
{
	size_t count = 0;

	while (count < TOGETHER) {
		const uint64_t at = atomic_fetch_add(&cache->hand, 1) & cache->set_mask;
		const uint64_t page = atomic_load(&cache->set[at]);

		if (page < TAKEN_OUT && claim(cache, page))
			chosen[count++] = page;
	}
	return count;
}

static void evict(struct vmcache *cache)
{
	uint64_t chosen[TOGETHER];
	const size_t count = choose(cache, chosen);

	for (size_t i = 0; i < count; i++)
		(void)madvise(cache->memory + chosen[i] * VMCACHE_PAGE, VMCACHE_PAGE,
			      MADV_DONTNEED);
	for (size_t i = 0; i < count; i++) {
		_Atomic uint64_t *word = &cache->words[chosen[i]];

		take_out(cache, chosen[i]);
		atomic_store(word, next_version(atomic_load(word), VMCACHE_GONE));
	}
	atomic_fetch_sub(&cache->used, count);
}

/* --- misses ---------------------------------------------------------------------------------- */

static void bring_in(struct vmcache *cache, uint64_t page)
{
	char *address = cache->memory + page * VMCACHE_PAGE;
	_Atomic uint64_t *word = &cache->words[page];

	if (atomic_fetch_add(&cache->used, 1) >= cache->most)
		evict(cache);
	if (pread(cache->fd, address, VMCACHE_PAGE, (off_t)(page * VMCACHE_PAGE)) !=
	    VMCACHE_PAGE) {
		perror("pread");
		_exit(1);
	}
	put(cache, page);
	atomic_store(word, next_version(atomic_load(word), 0));
}

const void *vmcache_begin_slowly(struct vmcache *cache, uint64_t page, uint64_t *ticket)
{
	for (;;) {
		uint64_t word = atomic_load(&cache->words[page]);

		if (vmcache_state(word) == VMCACHE_GONE) {
			if (change(&cache->words[page], word, with_state(word, VMCACHE_ALONE)))
				bring_in(cache, page);
		} else if (vmcache_state(word) <= VMCACHE_SHARED_MOST) {
			*ticket = word;
			return cache->memory + page * VMCACHE_PAGE;
		} else if (vmcache_state(word) == VMCACHE_MARKED) {
			(void)vmcache_unmark(cache, page, word);
		}
	}
}

/* --- to open and close ------------------------------------------------------------------------ */

static void *map(size_t size, int advice)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		_exit(1);
	}
	(void)madvise(memory, size, advice);
	return memory;
}

struct vmcache *vmcache_open(int fd, uint64_t pages, size_t ram)
{
	struct vmcache *cache = calloc(1, sizeof(*cache));
	const size_t words = pages * sizeof(uint64_t);

	cache->fd = fd;
	cache->pages = pages;
	/* Words and the set are RAM as well; a twentieth is kept free, as the paper's is. */
	ram = ram > words ? ram - words : 0;
	cache->most = ram / (VMCACHE_PAGE + 3 * sizeof(uint64_t)) * 19 / 20;
	if (cache->most < 2 * TOGETHER)
		cache->most = 2 * TOGETHER;
	for (cache->set_mask = 1; cache->set_mask < cache->most * 3 / 2;)
		cache->set_mask *= 2;
	cache->set = map(cache->set_mask * sizeof(uint64_t), MADV_HUGEPAGE);
	memset(cache->set, 0xff, cache->set_mask * sizeof(uint64_t));
	cache->set_mask--;
	cache->words = map(words, MADV_HUGEPAGE);
	for (uint64_t page = 0; page < pages; page++)
		cache->words[page] = with_state(0, VMCACHE_GONE);
	cache->memory = map(pages * VMCACHE_PAGE, MADV_NOHUGEPAGE);
	return cache;
}

void vmcache_close(struct vmcache *cache)
{
	(void)munmap(cache->memory, cache->pages * VMCACHE_PAGE);
	(void)munmap(cache->words, cache->pages * sizeof(uint64_t));
	(void)munmap(cache->set, (cache->set_mask + 1) * sizeof(uint64_t));
	free(cache);
}
