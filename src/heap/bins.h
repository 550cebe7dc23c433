/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_BINS_H
#define VMSI_HEAP_BINS_H

#include "heap/state.h"

/* The retained slots of a class by how much memory they have. Under heap->lock. */

/* Four bins to a power of two, of pages; the sizes in bin i + 1 are larger. */
unsigned vmsi_bin_of(size_t bytes);

void vmsi_bin_add(struct vmsi_bins *bins, struct vmsi_slot *slot);
void vmsi_bin_remove(struct vmsi_bins *bins, struct vmsi_slot *slot);

/* The first bin from one on that has a slot; VMSI_HEAP_BINS: none. */
unsigned vmsi_bin_filled_from(const struct vmsi_bins *bins, unsigned bin);

/* The last bin below one that has a slot; VMSI_HEAP_BINS: none. */
unsigned vmsi_bin_filled_below(const struct vmsi_bins *bins, unsigned bin);

/*
 * What is wrong in a bin; NULL: nothing. Adds how many slots it has and what is
 * touched of them.
 */
const char *vmsi_bin_check(const struct vmsi_bins *bins, unsigned bin,
			   bool plain, size_t *count, size_t *bytes);

#endif
