/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROWTH_GROWTH_H
#define VMSI_GROWTH_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/*
 * How far memory that grows is committed ahead of its use. The memory begins at a
 * huge page's boundary, so sizes that are multiples of a huge page end at one.
 */

/*
 * How many bytes to commit in all where wanted bytes are needed: an eighth and at
 * least a huge page more, rounded up to a whole huge page, since the host uses
 * small pages for one that is committed in part. At most maximum.
 */
size_t vmsi_growth_ahead(size_t wanted, size_t maximum);

/*
 * The same for memory that may stay small: up to a page nothing more than wanted;
 * below a huge page twice as much as wanted, and at least 64 KiB.
 */
size_t vmsi_growth_from_small(size_t wanted, size_t maximum);

/*
 * Whether memory with MADV_HUGEPAGE gets huge pages: the host gives them to this
 * process, and the environment does not say VMSPACE_HUGE_PAGES=never. Asked once.
 */
bool vmsi_growth_has_huge_pages(void);

/*
 * Whether the host gives huge pages to memory that nobody has advised
 * (transparent_hugepage/enabled is "always"). Asked once.
 */
bool vmsi_growth_gives_unasked(void);

/* The most that vmsi_growth_populate brings in at once. */
#define VMSI_GROWTH_POPULATE_MOST ((size_t)2 << 20)

/*
 * Bring memory that will be written soon, on small pages, in by one call and not
 * by a fault a page. It begins at offset used, the first byte never used. Its
 * length is the largest of needed, an eighth of used, and used up to 512 KiB; but
 * at most 2 MiB, and not beyond limit. A single page is left to its fault. It is
 * no failure if the host refuses. Returns the offset where it ends.
 */
size_t vmsi_growth_populate(uintptr_t start, size_t used, size_t needed,
			    size_t limit);

#endif
