/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_RANGES_H
#define VMSI_GROUP_MEASURE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of offsets into one file, as ranges that ascend and do not touch each
 * other. All zero, it is empty.
 */
struct vmsi_ranges {
	struct vmsi_offsets {
		uint64_t start, end;   /* end is exclusive */
	} *list;
	size_t count, capacity;
};

/* Returns false where there is no memory; the set is as before. */
bool vmsi_ranges_add(struct vmsi_ranges *ranges, uint64_t start, uint64_t end);

/* How many of the offsets from start to end are in the set. */
uint64_t vmsi_ranges_within(const struct vmsi_ranges *ranges, uint64_t start,
			    uint64_t end);

/*
 * Add what another set has from start to end. Returns false where there is no
 * memory; then a part may have been added.
 */
bool vmsi_ranges_add_common(struct vmsi_ranges *ranges,
			    const struct vmsi_ranges *other, uint64_t start,
			    uint64_t end);

void vmsi_ranges_free(struct vmsi_ranges *ranges);

#endif
