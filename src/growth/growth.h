/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROWTH_GROWTH_H
#define VMSI_GROWTH_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/*
 * How memory that grows is committed: ahead of its use, in ever larger steps,
 * and so that the host can use huge pages for it. Offsets are from a start
 * that is on a huge page's boundary.
 */

/*
 * How many bytes to commit where wanted bytes are needed: more by an eighth and
 * by at least a huge page, up to a huge page's boundary (a huge page that
 * begins below the end of what is committed is none), at most maximum.
 */
size_t vmsi_growth_ahead(size_t wanted, size_t maximum);

/*
 * The same for one of many that may stay small: a page at first, and as long as
 * wanted is less than a huge page, as much again, and at least 64 KiB.
 */
size_t vmsi_growth_from_small(size_t wanted, size_t maximum);

/*
 * Whether the host gives this process huge pages for memory with MADV_HUGEPAGE,
 * and the environment does not forbid them (VMSPACE_HUGE_PAGES=never). Asked
 * once.
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
 * On small pages: bring the next part of what will be written soon into memory by
 * one call, in place of a fault a page. The part begins at the first byte that
 * was never used. It is as much as is used, up to 512 KiB, or an eighth of it, or
 * what is needed, whatever is most; up to 2 MiB, and within limit. A single page is left to the
 * fault. A host that cannot do it, or has no memory for it, is no failure.
 * Returns where the part ends, at most limit.
 */
size_t vmsi_growth_populate(uintptr_t start, size_t used, size_t needed,
			    size_t limit);

#endif
