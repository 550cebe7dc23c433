/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_BY_START_H
#define VMSI_CLI_BY_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Numbers in the order of the addresses where what they stand for starts. Leaves of
 * some hundred each: a process may have 60,000 mappings, and an array of all of them
 * would be moved for each that comes or goes.
 */

struct vmsi_start {
	uintptr_t start;
	uint32_t number;
};

struct vmsi_by_start_leaf;

struct vmsi_by_start {
	struct vmsi_by_start_leaf **leaves; /* none is empty */
	size_t count, capacity;
};

/* Where a number stands. Valid until one is added or removed. */
struct vmsi_by_start_place {
	size_t leaf, at;
};

/* The first that starts at address or above; may be behind the last. */
struct vmsi_by_start_place vmsi_by_start_find(const struct vmsi_by_start *ranges,
					  uintptr_t address);

/* The range at a place; NULL behind the last. It may be given another number. */
struct vmsi_start *vmsi_by_start_at(const struct vmsi_by_start *ranges,
				  struct vmsi_by_start_place place);

/* Step back by one. Returns false, and changes nothing, at the first. */
bool vmsi_by_start_back(const struct vmsi_by_start *ranges,
		      struct vmsi_by_start_place *place);

/* Step on by one; there is a range at the place. */
void vmsi_by_start_next(const struct vmsi_by_start *ranges,
		      struct vmsi_by_start_place *place);

/* Add a range; none starts where it does. Returns 0 or -ENOMEM. */
int vmsi_by_start_add(struct vmsi_by_start *ranges, struct vmsi_start range);

/* Remove the range that starts at start, which is there. */
void vmsi_by_start_remove(struct vmsi_by_start *ranges, uintptr_t start);

void vmsi_by_start_free(struct vmsi_by_start *ranges);

#endif
