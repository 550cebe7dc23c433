/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_BINS_H
#define VMSI_HEAP_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/slot.h"

/*
 * Bins have the retained slots of a class by how many bytes may have pages, from
 * the slot's start to retained.touched. Under the heap's lock.
 */

/* Four bins to a power of two, from a page on. */
#define VMSI_HEAP_BINS (4 * 48)

struct vmsi_bins {
	uint64_t filled[VMSI_HEAP_BINS / 64]; /* a bit for each bin that has slots */
	struct vmsi_slot *first[VMSI_HEAP_BINS];
};

/* The bin for so many bytes. All of bin i + 1 have more than all of bin i. */
unsigned vmsi_bin_of(size_t bytes);

void vmsi_bin_add(struct vmsi_bins *bins, struct vmsi_slot *slot);
void vmsi_bin_remove(struct vmsi_bins *bins, struct vmsi_slot *slot);

/* The first bin at or above one that has slots; VMSI_HEAP_BINS: none. */
unsigned vmsi_bin_filled_from(const struct vmsi_bins *bins, unsigned bin);

/* The last bin below one that has slots; VMSI_HEAP_BINS: none. */
unsigned vmsi_bin_filled_below(const struct vmsi_bins *bins, unsigned bin);

/* Check a bin, and add the number of its slots to count. NULL, or what is wrong. */
const char *vmsi_bin_check(const struct vmsi_bins *bins, unsigned bin,
			   bool small_pages, size_t *count);

#endif
