/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_WORLD_H
#define ACCOUNT_WORLD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A small kernel for an account: processes with memory, calls under way, and
 * children that the supervisor has not seen. Each step changes it and tells the
 * account what a supervisor would learn; the account must never show less than there
 * is.
 */

/* Where numbers come from: random ones, or the bytes of a fuzzer. */
struct account_numbers {
	size_t (*below)(void *context, size_t limit); /* limit is not 0 */
	void *context;
};

/* What has happened in all rounds. */
struct account_counts {
	unsigned long granted, refused, withdrawn, looks, born, never_seen,
		executed, ended, shared, peaks;
};

/* Begin a round: an empty group under a random limit and policy. */
void account_world_begin(const struct account_numbers *numbers,
			 void (*wrong)(const char *what));
void account_world_step(void);

/*
 * End a round: when all calls have returned and all processes were looked at, the
 * account must be exact.
 */
void account_world_end(void);

const struct account_counts *account_world_counts(void);

/* Return what the last step did, for messages. */
const char *account_world_last(void);

#endif
