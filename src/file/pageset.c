/* SPDX-License-Identifier: MIT */
#include "file/pageset.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

#define BITS 64u

static uint64_t words_for(uint64_t bits)
{
	return bits / BITS + (bits % BITS != 0);
}

int vmsi_pageset_open(struct vmsi_pageset *set, uint64_t pages)
{
	const uint64_t words = words_for(pages);
	const size_t bytes = vmsi_align_up(
		(words + words_for(words)) * sizeof(uint64_t), vmsi_page_size());
	long memory = vmsi_host.mmap(0, bytes, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				     -1, 0);

	if (memory < 0)
		return (int)memory;
	set->words = (_Atomic uint64_t *)memory;
	set->index = (_Atomic uint64_t *)(memory + (long)(words * sizeof(uint64_t)));
	set->pages = pages;
	set->bytes = bytes;
	atomic_init(&set->count, 0);
	return 0;
}

void vmsi_pageset_close(struct vmsi_pageset *set)
{
	if (set->words)
		vmsi_host.munmap((uintptr_t)set->words, set->bytes);
	set->words = NULL;
}

/* The bits of a run that are in the word of its first page. */
static uint64_t bits_in_word(struct vmsi_page_run run)
{
	const unsigned low = run.first % BITS;
	const uint64_t length = run.end - run.first;
	const uint64_t ones = length >= BITS ? UINT64_MAX : (1ull << length) - 1;

	return ones << low;
}

static uint64_t next_word(uint64_t page)
{
	return (page / BITS + 1) * BITS;
}

/* A writer adds the page first and then looks at the index: see vmsi_pageset_next. */
static void mark_index(struct vmsi_pageset *set, uint64_t word)
{
	const uint64_t bit = 1ull << (word % BITS);

	if (!(atomic_load(&set->index[word / BITS]) & bit))
		atomic_fetch_or(&set->index[word / BITS], bit);
}

void vmsi_pageset_add(struct vmsi_pageset *set, struct vmsi_page_run run)
{
	while (run.first < run.end) {
		const uint64_t word = run.first / BITS;
		const uint64_t bits = bits_in_word(run);
		uint64_t earlier = atomic_load(&set->words[word]);

		if ((earlier & bits) != bits) {
			earlier = atomic_fetch_or(&set->words[word], bits);
			atomic_fetch_add(&set->count, (unsigned)
				__builtin_popcountll(bits & ~earlier));
		}
		mark_index(set, word);
		run.first = next_word(run.first);
	}
}

void vmsi_pageset_remove(struct vmsi_pageset *set, struct vmsi_page_run run)
{
	while (run.first < run.end) {
		const uint64_t bits = bits_in_word(run);
		_Atomic uint64_t *word = &set->words[run.first / BITS];

		if (atomic_load(word) & bits) {
			uint64_t earlier = atomic_fetch_and(word, ~bits);

			atomic_fetch_sub(&set->count, (unsigned)
				__builtin_popcountll(bits & earlier));
		}
		run.first = next_word(run.first);
	}
}

bool vmsi_pageset_has(const struct vmsi_pageset *set, uint64_t page)
{
	return page < set->pages &&
		(atomic_load(&set->words[page / BITS]) >> (page % BITS) & 1);
}

/*
 * The first word at or after one that may have pages. A bit of the index whose word
 * has none is taken away; whoever adds a page meanwhile has either seen the bit gone,
 * and sets it, or has added the page before the word is looked at again here.
 */
static bool next_used_word(struct vmsi_pageset *set, uint64_t *word)
{
	const uint64_t words = words_for(set->pages);

	while (*word < words) {
		const uint64_t bits = atomic_load(&set->index[*word / BITS]) >>
			(*word % BITS);
		uint64_t bit;

		if (!bits) {
			*word = next_word(*word);
			continue;
		}
		*word += (unsigned)__builtin_ctzll(bits);
		if (atomic_load(&set->words[*word]))
			return true;
		bit = 1ull << (*word % BITS);
		atomic_fetch_and(&set->index[*word / BITS], ~bit);
		if (atomic_load(&set->words[*word]))
			atomic_fetch_or(&set->index[*word / BITS], bit);
		else
			++*word;
	}
	return false;
}

bool vmsi_pageset_next(struct vmsi_pageset *set, uint64_t from,
		       struct vmsi_page_run *run)
{
	uint64_t word = from / BITS;
	uint64_t mask = UINT64_MAX << (from % BITS);

	while (next_used_word(set, &word)) {
		uint64_t bits;

		if (word != from / BITS)
			mask = UINT64_MAX;
		bits = atomic_load(&set->words[word]) & mask;
		if (bits) {
			const unsigned low = (unsigned)__builtin_ctzll(bits);
			const uint64_t above = ~(bits >> low);

			run->first = word * BITS + low;
			run->end = run->first + (above ?
				(unsigned)__builtin_ctzll(above) : BITS);
			return true;
		}
		word++;
	}
	return false;
}

struct vmsi_page_run vmsi_pageset_alike(const struct vmsi_pageset *set,
					struct vmsi_page_run run)
{
	const bool is_in = vmsi_pageset_has(set, run.first);
	struct vmsi_page_run part = { run.first, run.first + 1 };

	while (part.end < run.end && vmsi_pageset_has(set, part.end) == is_in)
		part.end++;
	return part;
}
