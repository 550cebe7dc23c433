/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RANGES_H
#define VMSI_CLI_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Numbers in the order of the addresses where what they stand for starts. Leaves of
 * some hundred each: a process may have 60,000 mappings, and an array of all of them
 * would be moved for each that comes or goes.
 */

struct vmsi_range {
	uintptr_t start;
	uint32_t number;
};

struct vmsi_ranges_leaf;

struct vmsi_ranges {
	struct vmsi_ranges_leaf **leaves; /* none is empty */
	size_t count, capacity;
};

/* Where a number stands. Valid until one is added or removed. */
struct vmsi_ranges_place {
	size_t leaf, at;
};

/* The first that starts at address or above; may be behind the last. */
struct vmsi_ranges_place vmsi_ranges_find(const struct vmsi_ranges *ranges,
					  uintptr_t address);

/* The range at a place; NULL behind the last. It may be given another number. */
struct vmsi_range *vmsi_ranges_at(const struct vmsi_ranges *ranges,
				  struct vmsi_ranges_place place);

/* Step back by one. Returns false, and changes nothing, at the first. */
bool vmsi_ranges_back(const struct vmsi_ranges *ranges,
		      struct vmsi_ranges_place *place);

/* Step on by one; there is a range at the place. */
void vmsi_ranges_next(const struct vmsi_ranges *ranges,
		      struct vmsi_ranges_place *place);

/* Add a range; none starts where it does. Returns 0 or -ENOMEM. */
int vmsi_ranges_add(struct vmsi_ranges *ranges, struct vmsi_range range);

/* Remove the range that starts at start, which is there. */
void vmsi_ranges_remove(struct vmsi_ranges *ranges, uintptr_t start);

void vmsi_ranges_free(struct vmsi_ranges *ranges);

#endif
