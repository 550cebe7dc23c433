/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_VMA_SHADOW_H
#define VMSI_TESTS_VMA_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vma/vma.h"

/*
 * What a map should hold, as an array with an entry for each page; each question is
 * answered by looking at all of it. A gap is a run of free pages between two
 * mappings.
 */

#define SHADOW_PAGE ((uintptr_t)4096)
#define SHADOW_PAGES_MAX 1200

struct shadow_page {
	bool mapped;
	struct vmsi_attributes attributes;
	uint64_t offset;
};

struct shadow {
	uintptr_t base;
	size_t pages;
	size_t guard; /* pages kept free below VMSI_GROWSDOWN */
	struct shadow_page page[SHADOW_PAGES_MAX];
};

static inline uintptr_t shadow_address(const struct shadow *shadow, size_t page)
{
	return shadow->base + page * SHADOW_PAGE;
}

/* These take page numbers, [first, end). */
void shadow_insert(struct shadow *shadow, size_t first, size_t end,
		   uint64_t offset, const struct vmsi_attributes *attributes);
void shadow_erase(struct shadow *shadow, size_t first, size_t end);

/* Apply change to the attributes of every mapped page of the range. */
void shadow_update(struct shadow *shadow, size_t first, size_t end,
		   void (*change)(struct vmsi_attributes *attributes,
				  const void *context),
		   const void *context);

/*
 * Return the end of a mapped page's mapping: the first page above it that is free or
 * would not merge.
 */
size_t shadow_mapping_end(const struct shadow *shadow, size_t page);

/* Return the end of the mapped (or free) pages around a page. */
size_t shadow_run_end(const struct shadow *shadow, size_t page);

/* Compare mapping by mapping. Returns NULL, or what differs. */
const char *shadow_compare(const struct shadow *shadow,
			   const struct vmsi_map *map);

/*
 * Judge the answer of a gap search: error 0 and start, or -ENOMEM. Returns
 * NULL, or what is wrong with it.
 */
const char *shadow_judge_gap(const struct shadow *shadow,
			     const struct vmsi_gap_request *request, int error,
			     uintptr_t start);

#endif
