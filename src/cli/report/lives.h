/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LIVES_H
#define VMSI_CLI_LIVES_H

#include "cli/recording/recording.h"

/*
 * The events of a recording as lives: from begin to end, the addresses from start to
 * stop were an owner's, with the same figures. What was there at a moment are the
 * lives that had begun and not ended, and nothing must be replayed to find them.
 *
 * And what changed from one look to the next: changes, made of the same events.
 */

/* The end of a life that had not ended when the recording did. */
#define VMSI_NO_END UINT64_MAX

struct vmsi_life {
	uint64_t begin, end;  /* microseconds since the recording began; half-open */
	uintptr_t start, stop;
	uint64_t commit, anonymous, file, swapped;
	uint32_t process, owner;
	uint32_t event;       /* that said so */
	/*
	 * It is what another event left of a mapping: its figures are in proportion to
	 * its size, since it was not looked at for itself.
	 */
	bool is_part;
};

enum vmsi_change_kind {
	VMSI_CHANGE_NEW,      /* memory where its owner had none beside it */
	VMSI_CHANGE_GREW,
	/*
	 * At one look it was at from and at the next, not smaller, at start: as with
	 * mremap(2), or with a copy and munmap(2), which look the same from outside.
	 */
	VMSI_CHANGE_MOVED,
	VMSI_CHANGE_SHRANK,
	VMSI_CHANGE_GONE,
	VMSI_CHANGE_GRANTED,  /* a call that asks for memory got it */
	VMSI_CHANGE_REFUSED,
	VMSI_CHANGE_KINDS,
};

struct vmsi_change {
	uint64_t time;
	enum vmsi_change_kind kind;
	uint32_t process, owner;
	uint32_t event;       /* the call, or the event that it was seen by */
	uintptr_t start, stop;
	uintptr_t from;       /* of a move */
	/* By how many bytes more; of calls, how many they asked for, and were charged. */
	int64_t size, commit;
	uint64_t touched;     /* anonymous and swapped of what came or went */
};

struct vmsi_lives {
	struct vmsi_life *list;     /* by begin */
	size_t count, capacity;
	struct vmsi_change *changes; /* by time */
	size_t change_count, change_capacity;
};

/*
 * Make the lives and changes of a recording, whose numbers are in its tables. What a
 * process has when it is seen first is no change, nor is its end. Returns 0 or
 * -ENOMEM; lives need vmsi_lives_free in both cases.
 */
int vmsi_lives_make(struct vmsi_lives *lives,
		    const struct vmsi_recording *recording);

void vmsi_lives_free(struct vmsi_lives *lives);

#endif
