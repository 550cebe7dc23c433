/* SPDX-License-Identifier: MIT */
#ifndef COMPARE_H
#define COMPARE_H

#include "generate.h"
#include "lockstep.h"
#include "older.h"
#include "peer.h"
#include "taint.h"

/* The two sides of a sequence in lock step, and how they are compared. */

#define OBJECTS_MOST 1024

/* If the peer has made a shared anonymous object, note its charge. */
struct object {
	uint64_t inode;
	size_t charged;
};

struct subject {
	struct lockstep *lockstep;
	struct caller space;
	struct files files;
	struct peer peer;
	struct layout_reader reader;
	struct generator generator;
	struct random sampler;
	struct layout listing;
	struct layout host;
	struct object_pairs pairs;
	struct object objects[OBJECTS_MOST];
	size_t object_count;
	size_t committed; /* at the listing: a look can make a stack grow */
	struct answer answer;
	const struct operation *operation; /* the one being compared */
	struct older older;
	bool strict; /* vm.overcommit_memory is 2 */
	/* Pages that may be charged more than in the kernel; see taint.h. */
	struct taint taint;
};

/* Print what differs and all layouts, and end the process. */
_Noreturn void differ(struct subject *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- samples.c: pages whose contents are compared ------------------------ */

/* Return whether reading a page changes nothing, in the space and in the kernel. */
bool may_look(const struct subject *s, size_t page_number);

/* Choose pages to compare: near an operation, and at random. */
void sample_some(struct subject *s, const struct operation *op,
		 intptr_t wanted);
void sample_all(struct subject *s);

/* Read the space's pages; then compare them with the peer's. */
void take_samples(struct subject *s, int64_t *digests);
void compare_samples(struct subject *s, const int64_t *digests);

/* --- compare.c ----------------------------------------------------------- */

void compare_answers(struct subject *s, const struct operation *op,
		     intptr_t wanted);
void compare_layouts(struct subject *s);

/* Check the rules of the ledger that the space's list can show. */
void check_ledger(struct subject *s);

/* Compare what the kernel charges, and the flags of all mappings. */
void compare_flags(struct subject *s);

/* A shared anonymous object of the peer may have been made: note its charge. */
void note_object(struct subject *s, const struct operation *op,
		 intptr_t wanted);

#endif
