/* SPDX-License-Identifier: MIT */
#ifndef LOCKSTEP_H
#define LOCKSTEP_H

#include "operation.h"

/*
 * A sequence of operations on a new space and, in lock step, on a new window of the
 * kernel. It runs in a process of its own, since it may crash, hang or seal.
 */
#define SEQUENCE_MOST 4096
#define REPORT_SIZE (1 << 16)

struct lockstep_options {
	uint64_t seed;         /* of this sequence */
	size_t length;         /* operations to generate */
	unsigned features;     /* GENERATE_* */
	unsigned flags_every;  /* operations between looks at smaps */
	unsigned all_every;    /* operations between looks at all contents */
	bool replay;           /* make the operations that are there */
};

/* In memory that the process shares with its parent. */
struct lockstep {
	struct lockstep_options options;
	size_t count;   /* of operations */
	size_t started; /* operations begun */
	size_t skipped; /* not made: the kernel has two mappings for one */
	size_t excess;  /* readings of smaps with a larger charge for that */
	struct operation operations[SEQUENCE_MOST];
	char report[REPORT_SIZE]; /* empty: all was equal */
};

/* Return the exit status: 0 for equal, 1 for a difference. */
int lockstep_run(struct lockstep *lockstep);

#endif
