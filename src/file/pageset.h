/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_PAGESET_H
#define VMSI_FILE_PAGESET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of page numbers below a bound: a bit for each page, and above it an index
 * with a bit for each word of 64 pages, so that a few pages among millions are
 * found at once. Its memory is addresses only where no page was added.
 *
 * Pages may be added and removed by several threads at once; a walk meets each page
 * that is in the set from its beginning to its end.
 */
struct vmsi_pageset {
	_Atomic uint64_t *words; /* bit i % 64 of word i / 64: page i */
	_Atomic uint64_t *index; /* a set bit: the word may have pages; a word with
				    pages always has its bit */
	uint64_t pages;          /* the bound */
	size_t bytes;            /* of the mapping that both lie in */
	_Atomic uint64_t count;  /* pages in the set */
};

/* Pages [first, end). */
struct vmsi_page_run {
	uint64_t first;
	uint64_t end;
};

/* An empty set of pages below a bound. Returns 0 or -errno. */
int vmsi_pageset_open(struct vmsi_pageset *set, uint64_t pages);
void vmsi_pageset_close(struct vmsi_pageset *set);

void vmsi_pageset_add(struct vmsi_pageset *set, struct vmsi_page_run run);
void vmsi_pageset_remove(struct vmsi_pageset *set, struct vmsi_page_run run);
bool vmsi_pageset_has(const struct vmsi_pageset *set, uint64_t page);

/*
 * The first run of pages of the set at or after from; it may end early, and the next
 * call goes on at its end. False: there is none.
 */
bool vmsi_pageset_next(struct vmsi_pageset *set, uint64_t from,
		       struct vmsi_page_run *run);

/* The pages at the start of a run that are alike in being in the set, or not. */
struct vmsi_page_run vmsi_pageset_alike(const struct vmsi_pageset *set,
					struct vmsi_page_run run);

static inline uint64_t vmsi_pageset_count(const struct vmsi_pageset *set)
{
	return atomic_load_explicit(&set->count, memory_order_relaxed);
}

#endif
