/* SPDX-License-Identifier: MIT */
#ifndef TAINT_H
#define TAINT_H

#include "peer.h"

/*
 * Pages that the space may take for touched when the kernel does not: they were once
 * in one mapping of the space with a touched part that the kernel keeps apart, since
 * it remembers where a moved mapping was made. The space may keep them charged when
 * the kernel does not; never the reverse.
 */
#define TAINT_PAGES (WINDOW / 4096)

struct taint {
	size_t page;
	bool pages[TAINT_PAGES];
};

/*
 * Call this before an operation: a move places its parts beside what is at the
 * target, one after the other, so that they may merge for a moment.
 */
void taint_target(struct taint *taint, const struct operation *operation,
		  const struct layout *listing);

/* Note what an operation has moved or made anew. */
void taint_follow(struct taint *taint, const struct operation *operation,
		  intptr_t result);

/*
 * Taint mappings of the list that are several in the kernel, and the whole of each
 * mapping that has a tainted part, since a mapping is touched as a whole.
 */
void taint_add(struct taint *taint, const struct layout *listing,
	       const struct layout *kernel);

/*
 * Return the bytes of tainted pages that are charged in the list alone, and take
 * that charge off the list, so that it compares as equal.
 */
size_t taint_excess(const struct taint *taint, struct layout *listing,
		    const struct layout *flagged);

#endif
