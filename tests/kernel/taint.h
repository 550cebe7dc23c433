/* SPDX-License-Identifier: MIT */
#ifndef TAINT_H
#define TAINT_H

#include "peer.h"

/*
 * Pages of which the space may think that they were touched when the kernel
 * does not: they were once in one mapping of the space with a touched part
 * that the kernel keeps apart (a moved mapping remembers where it was made).
 * Such pages may keep a charge that the kernel gives back; never the reverse.
 */
#define TAINT_PAGES (WINDOW / 4096)

struct taint {
	size_t page;
	bool pages[TAINT_PAGES];
};

/*
 * Before an operation: a move puts its parts next to what is at the target
 * one after the other, so mappings there may meet for a moment.
 */
void taint_target(struct taint *taint, const struct operation *operation,
		  const struct layout *listing);

/* What an operation that was made has moved or made anew. */
void taint_follow(struct taint *taint, const struct operation *operation,
		  intptr_t result);

/*
 * Where the list has fewer mappings than the kernel; and all of a mapping of
 * which a part is tainted, since touched is a state of the mapping.
 */
void taint_add(struct taint *taint, const struct layout *listing,
	       const struct layout *kernel);

/*
 * Bytes of tainted pages that are charged in the list alone; takes the mark of
 * the charge off them in the list, so that it compares as equal.
 */
size_t taint_excess(const struct taint *taint, struct layout *listing,
		    const struct layout *flagged);

#endif
