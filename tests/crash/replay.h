/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_REPLAY_H
#define VMSI_TESTS_REPLAY_H

#include "memory_disk.h"
#include "recorder.h"

/*
 * Makes of a log what a disk may have if the machine stops behind any of its
 * operations. What was synced is there. Of what was not: each sector of 512 bytes, each
 * size, attribute and name may be there or not, in the order of the operations. A sync
 * that has failed leaves some of what was written there, and what is not there then
 * never will be, though it is read as before, or as it is on disk.
 */
struct replay {
	const struct log *log;
	size_t next;           /* operations before this one were made */
	struct memory_disk disk; /* what is durable for sure */
	size_t *pending;       /* the operations that are not, in their order */
	size_t pending_count;
	struct random random;
};

/* initial: what there was when the log began. arena: for what becomes durable. */
void replay_begin(struct replay *replay, const struct log *log,
		  const struct memory_disk *initial, struct memory_arena *arena,
		  uint64_t seed);
void replay_end(struct replay *replay);

/* Go on by one operation. */
void replay_step(struct replay *replay);

/* One disk that may be there if the machine stops here. */
void replay_crash(struct replay *replay, struct memory_disk *crashed,
		  struct memory_arena *arena);

#endif
