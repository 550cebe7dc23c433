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
 * The same for one of many that may stay small: as long as wanted is less than
 * a huge page, a half more than that, to a page.
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
 * Where there are no huge pages: bring the next part of what will be written
 * soon into memory by one call, in place of a fault a page. The part begins at
 * the first byte that was never used and is at most an eighth of what is used,
 * from 64 KiB to 2 MiB, and within limit. A host that cannot do it, or has no
 * memory for it, is no failure. Returns where the part ends, at most limit.
 */
size_t vmsi_growth_populate(uintptr_t start, size_t used, size_t limit);

#endif
