/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_BINS_H
#define VMSI_HEAP_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/slot.h"

/*
 * Free slots of a class by how much memory they retain, which is from their start
 * to retained.touched. Under the heap's lock.
 */

/* Four bins to a power of two, of pages. */
#define VMSI_HEAP_BINS (4 * 48)

struct vmsi_bins {
	uint64_t filled[VMSI_HEAP_BINS / 64]; /* a bit a bin that has a slot */
	struct vmsi_slot *first[VMSI_HEAP_BINS];
};

/* The bin for so many bytes; what is in bin i + 1 is larger than what is in i. */
unsigned vmsi_bin_of(size_t bytes);

void vmsi_bin_add(struct vmsi_bins *bins, struct vmsi_slot *slot);
void vmsi_bin_remove(struct vmsi_bins *bins, struct vmsi_slot *slot);

/* The first bin from one on that has a slot; VMSI_HEAP_BINS: none. */
unsigned vmsi_bin_filled_from(const struct vmsi_bins *bins, unsigned bin);

/* The last bin below one that has a slot; VMSI_HEAP_BINS: none. */
unsigned vmsi_bin_filled_below(const struct vmsi_bins *bins, unsigned bin);

/* What is wrong in a bin; NULL: nothing. Adds how many slots it has to count. */
const char *vmsi_bin_check(const struct vmsi_bins *bins, unsigned bin,
			   bool small_pages, size_t *count);

#endif
