/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_WORLD_H
#define ACCOUNT_WORLD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A kernel with processes, as small as an account of a group needs it: what
 * each has, which calls are under way, and which children nobody has seen. A
 * step does something to it and tells the account what a supervisor would be
 * told; after each the account must not say less than there is.
 */

/* Where numbers come from: random ones, or the bytes of a fuzzer. */
struct account_numbers {
	size_t (*below)(void *context, size_t limit); /* limit is not 0 */
	void *context;
};

/*
 * What has happened in all rounds; a run without any of it has tested nothing.
 */
struct account_counts {
	unsigned long granted, refused, withdrawn, looks, born, never_seen,
		executed, ended, shared, peaks;
};

/* A round: an empty group under some limit and policy. */
void account_world_begin(const struct account_numbers *numbers,
			 void (*wrong)(const char *what));
void account_world_step(void);

/*
 * All calls come back, all are looked at, and the account is what there is;
 * then all processes end.
 */
void account_world_end(void);

const struct account_counts *account_world_counts(void);

/* What the last step did, for messages. */
const char *account_world_last(void);

#endif
