/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_TURNS_H
#define VMSI_FILE_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Turns of commits. Threads that want to commit at the same time share one turn: one
 * of them leads it and does the work, the others wait for its result.
 *
 * A thread is served by a turn that begins after it has come: only that is sure to
 * have what the thread wrote. So of those who come while a turn is under way, one
 * leads the next.
 *
 * come --(no turn under way)--> lead: work, vmsi_turns_end --> result
 *   |                             ^
 *   +--(under way)--> wait -------+ (it ended, and nobody leads)
 *                      +--> served by another's turn --> result
 */
struct vmsi_turns {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct vmsi_comer *comers; /* who waits for a turn to begin */
	struct vmsi_comer *served; /* by the turn under way */
	bool under_way;
	unsigned waiting;          /* comers */
	unsigned serving;          /* by the turn under way */
	unsigned expected;         /* comers of the next turn, if all come again */
};

/* A thread that commits; on its stack. */
struct vmsi_comer {
	struct vmsi_comer *next;
	bool done;
	int error;
};

void vmsi_turns_init(struct vmsi_turns *turns);

/*
 * Wait for a turn. True: the caller leads it, and calls vmsi_turns_begin and
 * vmsi_turns_end; false: another one has, and *error is its result.
 */
bool vmsi_turns_come(struct vmsi_turns *turns, struct vmsi_comer *comer,
		     int *error);

/*
 * The turn begins: whoever has come until now is served by it. Threads that took part
 * in the latest turns are likely to come again at once; they are waited for a moment.
 */
void vmsi_turns_begin(struct vmsi_turns *turns);

void vmsi_turns_end(struct vmsi_turns *turns, int error);

#endif
